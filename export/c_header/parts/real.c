/* The real of a channel's exact sum: three roundings, in this order. */
static float samebits_real(int32_t sum, int32_t channel, const samebits_layer* layer) {
  float y = (float)(sum - layer->correction[channel]);
  y = y * layer->scale[channel * layer->scale_step];
  if (layer->bias != 0) y = y + layer->bias[channel];
  return y;
}
