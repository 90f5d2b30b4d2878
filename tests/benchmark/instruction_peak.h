// What a thread's int8 and bfloat16 instructions can do at most, measured by a loop of them on registers
// alone.
#pragma once

#include <string>

namespace samebits::benchmark {

/// Operations a second (a multiplication and an addition are two) of the instruction that the gemm_int8
/// implementation `name` is made of: tdpbssd or vpdpbusd. 0 for the others. It must run here.
double int8_peak(const std::string& name);

/// The same of gemm_bf16: vdpbf16ps, for avx512_bf16 alone.
double bf16_peak(const std::string& name);

}  // namespace samebits::benchmark
