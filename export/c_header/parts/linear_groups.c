/* The sum over a channel's groups, ascending. */
static float samebits_group_sum(const int8_t* x, int32_t in_features, int32_t group_size, int32_t channel,
                                const samebits_layer* layer) {
  const int32_t groups = (in_features + group_size - 1) / group_size;
  const int8_t* const weight = layer->weight + channel * in_features;
  float total = 0.0f;
  int32_t group, i;
  for (group = 0; group < groups; ++group) {
    const int32_t begin = group * group_size, grid = channel * groups + group;
    const int32_t end = in_features - begin < group_size ? in_features : begin + group_size;
    int32_t sum = 0;
    float part;
    for (i = begin; i < end; ++i) sum += (int32_t)x[i] * weight[i];
    part = (float)(sum - layer->correction[grid]);
    part = part * layer->scale[grid];
    total = total + part;
  }
  return total;
}

/* sizes: rows, in_features, out_features, group_size. */
static void samebits_linear_groups(const int8_t* x, float x_scale, const int32_t sizes[4],
                                   const samebits_layer* layer, const samebits_target* target, int* saw_nan) {
  int32_t row, channel;
  for (row = 0; row < sizes[0]; ++row) {
    for (channel = 0; channel < sizes[2]; ++channel) {
      float y = samebits_group_sum(x + row * sizes[1], sizes[1], sizes[3], channel, layer);
      y = y * x_scale;
      if (layer->bias != 0) y = y + layer->bias[channel];
      samebits_put(target, row * sizes[2] + channel, y, saw_nan);
    }
  }
}
