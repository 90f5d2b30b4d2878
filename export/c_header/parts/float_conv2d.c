typedef struct {
  int32_t in_channels, height, width, out_channels, out_height, out_width, kernel_height, kernel_width;
  int32_t stride[2], padding[2], dilation[2], groups;
} samebits_float_convolution;

/* One chain of fused multiply-adds an output; padding is multiplied like any other element. */
static float samebits_float_patch_sum(const float* x, const samebits_float_convolution* conv, const float* weight,
                                      const int32_t place[3]) {
  const int32_t depth = conv->in_channels / conv->groups;
  const int32_t first = place[0] / (conv->out_channels / conv->groups) * depth;
  float sum = 0.0f;
  int32_t c, i, j;
  for (c = first; c < first + depth; ++c) {
    for (i = 0; i < conv->kernel_height; ++i) {
      const int32_t row = place[1] * conv->stride[0] - conv->padding[0] + i * conv->dilation[0];
      for (j = 0; j < conv->kernel_width; ++j, ++weight) {
        const int32_t column = place[2] * conv->stride[1] - conv->padding[1] + j * conv->dilation[1];
        const int is_inside = row >= 0 && row < conv->height && column >= 0 && column < conv->width;
        sum = fmaf(*weight, is_inside ? x[(c * conv->height + row) * conv->width + column] : 0.0f, sum);
      }
    }
  }
  return sum;
}

/* factor, bias: or 0. */
static void samebits_float_conv2d(const float* x, const samebits_float_convolution* conv, const float* weight,
                                  const float* factor, const float* bias, float* y) {
  const int32_t depth = conv->in_channels / conv->groups * conv->kernel_height * conv->kernel_width;
  int32_t place[3];
  for (place[0] = 0; place[0] < conv->out_channels; ++place[0]) {
    for (place[1] = 0; place[1] < conv->out_height; ++place[1]) {
      for (place[2] = 0; place[2] < conv->out_width; ++place[2], ++y) {
        float sum = samebits_float_patch_sum(x, conv, weight + place[0] * depth, place);
        if (factor != 0) sum = sum * factor[place[0]];
        if (bias != 0) sum = sum + bias[place[0]];
        *y = sum != sum ? NAN : sum;
      }
    }
  }
}
