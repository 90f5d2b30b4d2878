static void samebits_clamp_codes(const int8_t* x, int32_t n, int8_t low, int8_t high, int8_t* y) {
  int32_t i;
  for (i = 0; i < n; ++i) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}
