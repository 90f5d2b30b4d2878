/* A quantized layer's constants. */
typedef struct {
  const int8_t* weight;      /* codes minus zero points, [out_features][depth] */
  const int32_t* correction; /* zero point of the input * sum of a channel's weights; one a group where there are any */
  const float* scale;        /* scale of the input * scale of the weight; with groups the latter alone */
  const float* bias;         /* one a channel, or 0 */
  int32_t scale_step;        /* 1; 0: one scale for all channels */
} samebits_layer;

/* Where a layer writes: codes on a grid, or floats where codes is 0; as max(y, 0) if relu. */
typedef struct {
  float* floats;
  int8_t* codes;
  const samebits_grid* grid;
  int relu;
} samebits_target;

static void samebits_put(const samebits_target* target, int32_t i, float y, int* saw_nan) {
  if (target->relu && y < 0.0f) y = 0.0f;
  if (target->codes != 0)
    target->codes[i] = samebits_code(y, target->grid, saw_nan);
  else
    target->floats[i] = y;
}
