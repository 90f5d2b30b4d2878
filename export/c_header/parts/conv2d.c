typedef struct {
  int32_t in_channels, height, width, out_channels, out_height, out_width, kernel_height, kernel_width;
  int32_t stride[2], padding[2], dilation[2], groups;
} samebits_convolution;

/* The exact sum of one output: outside of the image stands the code of the real 0. */
static int32_t samebits_patch_sum(const int8_t* x, const samebits_convolution* conv, const int8_t* weight,
                                  int32_t zero_point, const int32_t place[3]) {
  const int32_t depth = conv->in_channels / conv->groups;
  const int32_t first = place[0] / (conv->out_channels / conv->groups) * depth;
  int32_t sum = 0, c, i, j;
  for (c = first; c < first + depth; ++c) {
    for (i = 0; i < conv->kernel_height; ++i) {
      const int32_t row = place[1] * conv->stride[0] - conv->padding[0] + i * conv->dilation[0];
      for (j = 0; j < conv->kernel_width; ++j, ++weight) {
        const int32_t column = place[2] * conv->stride[1] - conv->padding[1] + j * conv->dilation[1];
        const int is_inside = row >= 0 && row < conv->height && column >= 0 && column < conv->width;
        const int32_t code = is_inside ? x[(c * conv->height + row) * conv->width + column] : zero_point;
        sum += code * *weight;
      }
    }
  }
  return sum;
}

static void samebits_conv2d(const int8_t* x, int32_t zero_point, const samebits_convolution* conv,
                            const samebits_layer* layer, const samebits_target* target, int* saw_nan) {
  const int32_t depth = conv->in_channels / conv->groups * conv->kernel_height * conv->kernel_width;
  int32_t place[3], i = 0;
  for (place[0] = 0; place[0] < conv->out_channels; ++place[0]) {
    const int8_t* const weight = layer->weight + place[0] * depth;
    for (place[1] = 0; place[1] < conv->out_height; ++place[1]) {
      for (place[2] = 0; place[2] < conv->out_width; ++place[2], ++i) {
        const int32_t sum = samebits_patch_sum(x, conv, weight, zero_point, place);
        samebits_put(target, i, samebits_real(sum, place[0], layer), saw_nan);
      }
    }
  }
}
