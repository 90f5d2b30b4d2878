#include "kernels/matmul/cuda/backward_bf16.h"

#include "kernels/matmul/cuda/backward_bf16.cuh"

namespace samebits::kernels::cuda {

const char* launch_gradient_operands(const GradientOperandsArgs& args, CUstream_st* stream) {
  if (args.n == 0) return nullptr;
  if (args.m > 0) {
    const char* const error =
        launch(gradient_operands, blocks_for((args.n + 3) / 4 * sum_blocks(args.m), kThreads), stream, args);
    if (error != nullptr) return error;
  }
  if (args.sums == nullptr) return nullptr;
  return launch(add_sums_of_blocks, blocks_for(args.n, kThreads), stream,
                static_cast<const float*>(args.block_sums), sum_blocks(args.m), args.n, args.sums);
}

const char* launch_codes_to_bf16(const std::int8_t* codes, std::int64_t n, const std::int32_t* zero_point,
                                 Bf16* y, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return launch(codes_to_bf16, blocks_for_octets(n), stream, codes, n, zero_point, y);
}

const char* launch_clear_clipped(float* grad, std::int64_t rows, std::int64_t row_length,
                                 const std::uint8_t* clip_mask, CUstream_st* stream) {
  if (rows == 0 || row_length == 0) return nullptr;
  return launch(clear_clipped, blocks_for(rows * ((row_length + 7) / 8), kThreads), stream, grad, rows,
                row_length, clip_mask);
}

}  // namespace samebits::kernels::cuda
