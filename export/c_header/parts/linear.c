/* sizes: rows, in_features, out_features. */
static void samebits_linear(const int8_t* x, const int32_t sizes[3], const samebits_layer* layer,
                            const samebits_target* target, int* saw_nan) {
  int32_t row, channel, i;
  for (row = 0; row < sizes[0]; ++row) {
    for (channel = 0; channel < sizes[2]; ++channel) {
      const int8_t* const codes = x + row * sizes[1];
      const int8_t* const weight = layer->weight + channel * sizes[1];
      int32_t sum = 0;
      for (i = 0; i < sizes[1]; ++i) sum += (int32_t)codes[i] * weight[i];
      samebits_put(target, row * sizes[2] + channel, samebits_real(sum, channel, layer), saw_nan);
    }
  }
}
