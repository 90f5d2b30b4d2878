#include "kernels/cuda/gemm_int4.h"

#include <type_traits>

#include "kernels/cuda/gemm_int4.cuh"

namespace samebits::kernels::cuda {
namespace {

/// Calls run with the format as a constant.
template <class Run>
const char* with_format(CodeFormat format, Run run) {
  switch (format) {
    case CodeFormat::kInt8:
      return run(std::integral_constant<CodeFormat, CodeFormat::kInt8>());
    case CodeFormat::kInt4:
      return run(std::integral_constant<CodeFormat, CodeFormat::kInt4>());
    case CodeFormat::kUint4:
      break;
  }
  return run(std::integral_constant<CodeFormat, CodeFormat::kUint4>());
}

/// A block a tile.
unsigned blocks_for_tiles(std::int64_t m, std::int64_t n, std::int64_t rows) {
  return blocks_for((m + rows - 1) / rows * ((n + kTileColumns - 1) / kTileColumns), 1);
}

}  // namespace

const char* launch_gemm_codes(const GemmCodesArgs& args, CUstream_st* stream) {
  if (args.m == 0 || args.b.shape.n == 0) return nullptr;
  return with_format(args.b.format, [&]<class Format>(Format) {
    return launch(gemm_codes<Format::value>, blocks_for_tiles(args.m, args.b.shape.n, kCodeRows), stream,
                  args);
  });
}

const char* launch_gemm_floats(const GemmFloatArgs& args, CUstream_st* stream) {
  if (args.m == 0 || args.b.shape.n == 0) return nullptr;
  return with_float_type(args.x_type, [&]<class Stored>(Stored) {
    return with_format(args.b.format, [&]<class Format>(Format) {
      return launch(gemm_floats<Stored, Format::value>, blocks_for_tiles(args.m, args.b.shape.n, kFloatRows),
                    stream, args);
    });
  });
}

}  // namespace samebits::kernels::cuda
