#include "kernels/matmul/cuda/gemv_int4.h"

#include <type_traits>

#include "kernels/matmul/cuda/gemv_int4.cuh"

namespace samebits::kernels::cuda {
namespace {

std::int64_t tiles_of(const Int4Shape& shape, std::int64_t m, std::int64_t rows) {
  return shape.blocks() * ((m + rows - 1) / rows);
}

}  // namespace

const char* launch_gemv_int4(const GemvInt4Args& args, CUstream_st* stream) {
  if (args.m == 0 || args.b.shape.n == 0) return nullptr;
  int parts = 1;  // as many slots a group as there are too few groups for all of them
  while (parts < kSlots && args.b.shape.groups() * parts * 2 <= kSlots) parts *= 2;
  const auto run = [&]<int kRows>(std::integral_constant<int, kRows>) {
    const std::int64_t tiles = tiles_of(args.b.shape, args.m, kRows);
    return launch(gemv_int4<kRows>, blocks_for(tiles, 1), stream, args, tiles, parts);
  };
  return args.m == 1 ? run(std::integral_constant<int, 1>()) : run(std::integral_constant<int, 8>());
}

const char* launch_gemv_float_int4(const GemvFloatInt4Args& args, CUstream_st* stream) {
  if (args.m == 0 || args.b.shape.n == 0) return nullptr;
  return with_float_type(args.x_type, [&]<class Stored>(Stored) {
    const auto run = [&]<int kRows>(std::integral_constant<int, kRows>) {
      const std::int64_t tiles = tiles_of(args.b.shape, args.m, kRows);
      return launch(gemv_float_int4<Stored, kRows>, blocks_for(tiles, 1), stream, args, tiles);
    };
    return args.m == 1 ? run(std::integral_constant<int, 1>()) : run(std::integral_constant<int, 4>());
  });
}

}  // namespace samebits::kernels::cuda
