static void samebits_quantize(const float* x, int32_t n, const samebits_grid* grid, int8_t* codes, int* saw_nan) {
  int32_t i;
  for (i = 0; i < n; ++i) codes[i] = samebits_code(x[i], grid, saw_nan);
}
