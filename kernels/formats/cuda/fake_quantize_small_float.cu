#include "kernels/formats/cuda/fake_quantize_small_float.h"

#include "kernels/formats/cuda/fake_quantize_small_float.cuh"

namespace samebits::kernels::cuda {

const char* launch_fake_quantize_small_float(const SmallFloatArgs& args, const SmallFloat& format,
                                             Overflow overflow, GridTable table, std::int64_t n, int* saw_nan,
                                             CUstream_st* stream) {
  if (n == 0) return nullptr;
  table.zero_point = nullptr;  // scales alone
  return with_types_and_grids(args.type, table, n,
                              [&]<class Stored, class Grids>(Stored, const Grids& grids) {
                                return launch(fake_quantize_small_float<Stored, Grids>, blocks_for_quads(n),
                                              stream, args, format, overflow, grids, n, saw_nan);
                              });
}

const char* launch_decode_small_floats(const std::uint8_t* codes, float* y, const SmallFloat& format,
                                       GridTable table, std::int64_t n, CUstream_st* stream) {
  if (n == 0) return nullptr;
  table.zero_point = nullptr;
  return with_grids(table, n, [&]<class Grids>(const Grids& grids) {
    return launch(decode_small_floats<Grids>, blocks_for_quads(n), stream, codes, y, format, grids, n);
  });
}

}  // namespace samebits::kernels::cuda
