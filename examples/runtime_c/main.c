/* Runs a package by the C interface: runtime_c NAME.samebits. Its inputs are a ramp from 0 to 1, its outputs are printed
 * to the bit. */
#include <samebits/runtime.h>
#include <stdio.h>
#include <stdlib.h>

enum { kMaxInputs = 8, kMaxRank = 8 };

static int fail(const char* what) {
  fprintf(stderr, "error: %s: %s\n", what, samebits_last_error());
  return 1;
}

/* One item: what a call decides is 1. */
static int make_ramp(const samebits_model* model, size_t index, int64_t* sizes, samebits_array* input) {
  size_t rank = 0, axis;
  int64_t count = 1, i;
  float* values;
  if (samebits_model_input_sizes(model, index, sizes, kMaxRank, &rank) != SAMEBITS_OK || rank > kMaxRank)
    return 1;
  for (axis = 0; axis < rank; ++axis) {
    if (sizes[axis] < 0) sizes[axis] = 1;
    count *= sizes[axis];
  }
  values = malloc(sizeof(float) * (size_t)count);
  if (values == NULL) return 1;
  for (i = 0; i < count; ++i) values[i] = (float)i / (float)count;
  input->values = values;
  input->sizes = sizes;
  input->rank = rank;
  return 0;
}

static int print_outputs(const samebits_model* model, const samebits_runner* runner) {
  size_t index, axis;
  for (index = 0; index < samebits_model_outputs(model); ++index) {
    samebits_array y;
    int64_t count = 1, i;
    if (samebits_runner_output(runner, index, &y) != SAMEBITS_OK) return fail("output");
    printf("%s:", samebits_model_output_name(model, index));
    for (axis = 0; axis < y.rank; ++axis) count *= y.sizes[axis];
    for (i = 0; i < count; ++i) printf(" %a", (double)y.values[i]);
    printf("\n");
  }
  return 0;
}

int main(int argc, char** argv) {
  static int64_t sizes[kMaxInputs][kMaxRank];
  static samebits_array inputs[kMaxInputs];
  samebits_model* model = NULL;
  samebits_runner* runner = NULL;
  size_t index, count;
  int result = 1;
  if (argc != 2) {
    fprintf(stderr, "usage: runtime_c NAME.samebits\n");
    return 2;
  }
  if (samebits_model_load(argv[1], &model) != SAMEBITS_OK) return fail("load");
  count = samebits_model_inputs(model);
  for (index = 0; index < count && index < kMaxInputs; ++index)
    if (make_ramp(model, index, sizes[index], &inputs[index]) != 0) return fail("input");
  if (samebits_runner_create(model, 2, &runner) != SAMEBITS_OK)
    fail("create");
  else if (samebits_runner_run(runner, inputs, count) != SAMEBITS_OK)
    fail("run");
  else
    result = print_outputs(model, runner);
  for (index = 0; index < count && index < kMaxInputs; ++index) free((void*)inputs[index].values);
  samebits_runner_free(runner);
  samebits_model_free(model);
  return result;
}
