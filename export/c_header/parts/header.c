/* @NAME@: made by samebits @VERSION@, in C99.
 *
 * Define @MACRO@_IMPLEMENTATION in one file before it includes this header; others include it as it is.
 * Compile with -std=c99 -ffp-contract=off, without -ffast-math: then results have the bits of the training forward.
 *
 * Arrays: @ARRAY_BYTES@ bytes of constants. Memory: @MEMORY_BYTES@ bytes, static: one call at a time.
 * Nodes:
@NODES@ */
#ifndef @MACRO@_H
#define @MACRO@_H

#ifdef __cplusplus
extern "C" {
#endif

/* Computes one item. Outputs overlap neither inputs nor each other. Returns 0, or the number of the node above whose
 * input holds NaN. */
@FUNCTION@;

#ifdef __cplusplus
}
#endif
#endif

#ifdef @MACRO@_IMPLEMENTATION
#undef @MACRO@_IMPLEMENTATION
#include <float.h>
#include <math.h>
#include <stdint.h>

#ifdef __FAST_MATH__
#error "-ffast-math changes results: compile without"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "floats must be computed as float; on 32-bit x86: -msse2 -mfpmath=sse"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

@PARTS@@CONSTANTS@@MEMORY@
@FUNCTION@ {
  int saw_nan = 0;
@BODY@  (void)saw_nan;
  return 0;
}
#endif
