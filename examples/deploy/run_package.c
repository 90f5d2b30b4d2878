/* Runs model.samebits on input.bin and writes output.bin, both float32, one item after another.
 *   cc -std=c99 run_package.c -Iinclude -Llib -lsamebits_runtime -Wl,-rpath,'$ORIGIN/lib' -o run_package
 *   ./run_package */
#include <samebits/runtime.h>
#include <stdio.h>
#include <stdlib.h>

enum { kMaxRank = 8 };

static int fail(const char* what) {
  fprintf(stderr, "error: %s: %s\n", what, samebits_last_error());
  return 1;
}

static float* read_floats(const char* path, size_t* count) {
  FILE* file = fopen(path, "rb");
  float* values = NULL;
  long bytes;
  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (bytes = ftell(file)) > 0 && fseek(file, 0, SEEK_SET) == 0) {
    *count = (size_t)bytes / sizeof(float);
    values = malloc(*count * sizeof(float));
    if (values != NULL && fread(values, sizeof(float), *count, file) != *count) {
      free(values);
      values = NULL;
    }
  }
  fclose(file);
  return values;
}

/* As many items as the file has: the first size is the call's to decide. */
static int run(const samebits_model* model, samebits_runner* runner, const float* values, size_t count) {
  int64_t sizes[kMaxRank], item = 1;
  size_t rank = 0, axis, written = 1;
  samebits_array x, y;
  FILE* file;
  if (samebits_model_input_sizes(model, 0, sizes, kMaxRank, &rank) != SAMEBITS_OK) return fail("input");
  for (axis = 1; axis < rank; ++axis) item *= sizes[axis];
  sizes[0] = (int64_t)count / item;
  x.values = values;
  x.sizes = sizes;
  x.rank = rank;
  if (samebits_runner_run(runner, &x, 1) != SAMEBITS_OK) return fail("run");
  if (samebits_runner_output(runner, 0, &y) != SAMEBITS_OK) return fail("output");
  for (axis = 0; axis < y.rank; ++axis) written *= (size_t)y.sizes[axis];
  file = fopen("output.bin", "wb");
  if (file == NULL || fwrite(y.values, sizeof(float), written, file) != written || fclose(file) != 0) {
    fprintf(stderr, "error: output.bin cannot be written\n");
    return 1;
  }
  printf("%ld items, %ld results\n", (long)sizes[0], (long)written);
  return 0;
}

int main(void) {
  samebits_model* model = NULL;
  samebits_runner* runner = NULL;
  size_t count = 0;
  float* values = read_floats("input.bin", &count);
  int result = 1;
  if (values == NULL)
    fprintf(stderr, "error: input.bin cannot be read\n");
  else if (samebits_model_load("model.samebits", &model) != SAMEBITS_OK)
    fail("model.samebits");
  else if (samebits_runner_create(model, /*threads=*/1, &runner) != SAMEBITS_OK)
    fail("runner");
  else
    result = run(model, runner, values, count);
  samebits_runner_free(runner);
  samebits_model_free(model);
  free(values);
  return result;
}
