/* A NaN wins; of equal zeros the first. */
static float samebits_window_max(const float* x, const samebits_pool* pool, int32_t row, int32_t column) {
  const int32_t span[2] = {pool->dilation[0] * (pool->kernel[0] - 1) + 1, pool->dilation[1] * (pool->kernel[1] - 1) + 1};
  const int32_t row_end = samebits_end(row, pool->padding[0], span[0], pool->height);
  const int32_t column_end = samebits_end(column, pool->padding[1], span[1], pool->width);
  float best = -INFINITY;
  int32_t i, j;
  for (i = samebits_first(row, pool->padding[0], pool->dilation[0]); i < row_end; i += pool->dilation[0]) {
    for (j = samebits_first(column, pool->padding[1], pool->dilation[1]); j < column_end; j += pool->dilation[1]) {
      const float value = x[i * pool->width + j];
      if (value > best || value != value) best = value;
    }
  }
  return best;
}

static void samebits_max_pool(const float* x, const samebits_pool* pool, float* y) {
  int32_t plane, i, j;
  for (plane = 0; plane < pool->planes; ++plane, x += pool->height * pool->width)
    for (i = 0; i < pool->out_height; ++i)
      for (j = 0; j < pool->out_width; ++j)
        *y++ = samebits_window_max(x, pool, i * pool->stride[0], j * pool->stride[1]);
}
