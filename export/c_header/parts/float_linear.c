/* One chain of fused multiply-adds an output. sizes: rows, in_features, out_features. factor, bias: or 0. */
static void samebits_float_linear(const float* x, const int32_t sizes[3], const float* weight, const float* factor,
                                  const float* bias, float* y) {
  int32_t row, channel, i;
  for (row = 0; row < sizes[0]; ++row) {
    for (channel = 0; channel < sizes[2]; ++channel) {
      float sum = 0.0f;
      for (i = 0; i < sizes[1]; ++i) sum = fmaf(x[row * sizes[1] + i], weight[channel * sizes[1] + i], sum);
      if (factor != 0) sum = sum * factor[channel];
      if (bias != 0) sum = sum + bias[channel];
      y[row * sizes[2] + channel] = sum != sum ? NAN : sum;
    }
  }
}
