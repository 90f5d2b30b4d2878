/* Of planes, which are channels. */
typedef struct {
  int32_t planes, height, width, out_height, out_width;
  int32_t kernel[2], stride[2], padding[2], dilation[2];
} samebits_pool;

/* The first place of a window inside of the image. */
static int32_t samebits_first(int32_t position, int32_t padding, int32_t dilation) {
  const int32_t begin = position - padding;
  return begin < 0 ? begin + (-begin + dilation - 1) / dilation * dilation : begin;
}

/* The place behind its last. */
static int32_t samebits_end(int32_t position, int32_t padding, int32_t span, int32_t size) {
  const int32_t end = position - padding + span;
  return end < size ? end : size;
}
