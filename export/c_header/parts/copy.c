static void samebits_copy(const float* x, int32_t n, float* y) {
  int32_t i;
  for (i = 0; i < n; ++i) y[i] = x[i];
}
