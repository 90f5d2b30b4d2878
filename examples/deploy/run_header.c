/* Runs the model in model.h on input.bin and writes output.bin, both float32, one item after another.
 *   cc -std=c99 -ffp-contract=off run_header.c -lm -o run_header
 *   ./run_header */
#include <stdio.h>

#define MODEL_IMPLEMENTATION
#include "model.h"

enum { kInputs = INPUTS, kOutputs = OUTPUTS }; /* floats of one item */

int main(void) {
  static float x[kInputs], y[kOutputs];
  long items = 0;
  FILE* input = fopen("input.bin", "rb");
  FILE* output = fopen("output.bin", "wb");
  if (input == NULL || output == NULL) {
    fprintf(stderr, "error: input.bin or output.bin cannot be opened\n");
    return 1;
  }
  while (fread(x, sizeof(float), kInputs, input) == kInputs) {
    const int nan_at = model_run(x, y);
    if (nan_at != 0) {
      fprintf(stderr, "error: item %ld: NaN at node %d of model.h\n", items, nan_at);
      return 1;
    }
    if (fwrite(y, sizeof(float), kOutputs, output) != kOutputs) return 1;
    ++items;
  }
  fclose(input);
  if (fclose(output) != 0) return 1;
  printf("%ld items, %ld results\n", items, items * kOutputs);
  return 0;
}
