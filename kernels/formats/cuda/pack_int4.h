// Launchers of kernels/formats/pack_int4.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace samebits::kernels::cuda {

/// pack_int4 and unpack_int4 of n codes; pointers and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed,
                             CUstream_st* stream);
const char* launch_unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes,
                               CUstream_st* stream);

}  // namespace samebits::kernels::cuda
