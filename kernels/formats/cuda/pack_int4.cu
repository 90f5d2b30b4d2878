#include "kernels/formats/cuda/pack_int4.h"

#include "kernels/formats/cuda/pack_int4.cuh"

namespace samebits::kernels::cuda {

const char* launch_pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed,
                             CUstream_st* stream) {
  if (n == 0) return nullptr;
  return launch(pack_int4, blocks_for(n, kThreads * kPackedCodes), stream, codes, n, packed);
}

const char* launch_unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes,
                               CUstream_st* stream) {
  if (n == 0) return nullptr;
  return launch(unpack_int4, blocks_for(n, kThreads * kPackedCodes), stream, packed, n, codes);
}

}  // namespace samebits::kernels::cuda
