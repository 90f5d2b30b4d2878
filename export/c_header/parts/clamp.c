static void samebits_clamp(const float* x, int32_t n, float low, float high, float* y) {
  int32_t i;
  for (i = 0; i < n; ++i) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}
