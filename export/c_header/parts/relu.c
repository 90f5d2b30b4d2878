static void samebits_relu(const float* x, int32_t n, float* y) {
  int32_t i;
  for (i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}
