/* The C interface of the runtime, libsamebits_runtime: runs a package on the CPU, with the bits of the
 * training forward. Plain C99; a program needs this header and that library.
 *
 * - Nothing is thrown and nothing aborts. A function that can fail returns a samebits_status, and leaves
 *   a text of what was expected, what was found and the way out: samebits_last_error().
 * - A model is read-only: any threads may use it at the same time. A runner has memory and threads of
 *   its own: one call at a time. Runners of one model may run at the same time, in any threads.
 * - Null where an object is expected is SAMEBITS_BAD_ARGUMENT; samebits_*_free(NULL) does nothing. Other
 *   pointers must be valid, and objects not freed yet.
 * - After a fork() a child may use runners of one thread alone. */
#ifndef SAMEBITS_RUNTIME_H
#define SAMEBITS_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum samebits_status {
  SAMEBITS_OK = 0,
  SAMEBITS_BAD_ARGUMENT = 1,  /* a null pointer, an index or a number of threads out of range */
  SAMEBITS_BAD_FILE = 2,      /* a package that is not there or not sound */
  SAMEBITS_BAD_INPUT = 3,     /* arrays whose shapes do not fit the model, or NaN at a quantized layer */
  SAMEBITS_OUT_OF_MEMORY = 4, /* of memory or threads */
  SAMEBITS_INTERNAL = 5       /* a mistake of the library's own */
} samebits_status;

typedef struct samebits_model samebits_model;
typedef struct samebits_runner samebits_runner;

/* An array of float32, row-major. As an input it points to the caller's memory. */
typedef struct samebits_array {
  const float* values;
  const int64_t* sizes; /* rank of them */
  size_t rank;
} samebits_array;

/* "0.1.0". */
const char* samebits_version(void);

/* What the last failed call of this thread says; "" when none failed. Valid until this thread's next
 * call. */
const char* samebits_last_error(void);

/* Loads a package, the folder NAME.samebits. *model is null on failure. */
samebits_status samebits_model_load(const char* folder, samebits_model** model);
/* Runners of it may go on running. */
void samebits_model_free(samebits_model* model);

/* How many inputs and outputs; 0 of a null model. */
size_t samebits_model_inputs(const samebits_model* model);
size_t samebits_model_outputs(const samebits_model* model);
/* Names, which live as long as the model; null beyond the last. */
const char* samebits_model_input_name(const samebits_model* model, size_t index);
const char* samebits_model_output_name(const samebits_model* model, size_t index);
/* An input's sizes, -1 for one that a call decides, such as the batch. Writes at most `capacity` of them
 * to `sizes`, and how many there are to *rank. */
samebits_status samebits_model_input_sizes(const samebits_model* model, size_t index, int64_t* sizes,
                                           size_t capacity, size_t* rank);

/* Packs the weights for `threads` >= 1 threads, the caller's included. *runner is null on failure. */
samebits_status samebits_runner_create(const samebits_model* model, int threads, samebits_runner** runner);
void samebits_runner_free(samebits_runner* runner);

/* Computes the outputs of `count` inputs, one for each of the model's in its order. The same bits at any
 * number of threads. After a failure there are no outputs. */
samebits_status samebits_runner_run(samebits_runner* runner, const samebits_array* inputs, size_t count);

/* An output of the last run; its memory is the runner's, until the next run. */
samebits_status samebits_runner_output(const samebits_runner* runner, size_t index, samebits_array* output);

#ifdef __cplusplus
}
#endif

#endif
