/* The reals (code - zero_point) * scale for qmin <= code <= qmax. */
typedef struct {
  float scale;
  int32_t zero_point, qmin, qmax;
} samebits_grid;

/* The nearest code of r, ties to even. A NaN sets *saw_nan. */
static int8_t samebits_code(float r, const samebits_grid* grid, int* saw_nan) {
  const float position = rintf(r / grid->scale) + (float)grid->zero_point;
  if (position != position) {
    *saw_nan = 1;
    return (int8_t)grid->zero_point;
  }
  if (position < (float)grid->qmin) return (int8_t)grid->qmin;
  if (position > (float)grid->qmax) return (int8_t)grid->qmax;
  return (int8_t)position;
}
