// The float arithmetic that the numerics contract needs of a thread: denormals are kept, and results rounded
// to the nearest float. A program that was linked with -ffast-math, or a library that it loads, may have
// changed that (MXCSR on x86-64, FPCR on AArch64). The first call of any kernel looks, on its thread
// (isa.cpp).
#pragma once

namespace samebits::kernels {

/// Throws std::runtime_error when the calling thread flushes denormals or rounds another way.
void check_float_environment();

}  // namespace samebits::kernels
