/* Elements are added row by row; padding counts as zeros; no mean is -0. */
static float samebits_window_mean(const float* x, const samebits_pool* pool, int32_t row, int32_t column) {
  const int32_t row_end = samebits_end(row, pool->padding[0], pool->kernel[0], pool->height);
  const int32_t column_end = samebits_end(column, pool->padding[1], pool->kernel[1], pool->width);
  float sum = 0.0f;
  int32_t i, j;
  for (i = samebits_first(row, pool->padding[0], 1); i < row_end; ++i)
    for (j = samebits_first(column, pool->padding[1], 1); j < column_end; ++j) sum = sum + x[i * pool->width + j];
  sum = sum / (float)(pool->kernel[0] * pool->kernel[1]);
  return 0.0f + sum;
}

static void samebits_avg_pool(const float* x, const samebits_pool* pool, float* y) {
  int32_t plane, i, j;
  for (plane = 0; plane < pool->planes; ++plane, x += pool->height * pool->width)
    for (i = 0; i < pool->out_height; ++i)
      for (j = 0; j < pool->out_width; ++j)
        *y++ = samebits_window_mean(x, pool, i * pool->stride[0], j * pool->stride[1]);
}
