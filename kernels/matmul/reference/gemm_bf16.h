#pragma once
#include "kernels/matmul/gemm_bf16.h"

namespace samebits::kernels::reference {

/// Writes one element of the output, whose sum over the depth is `sum`.
inline void finish_element(const GemmBf16Args& args, std::int64_t row, std::int64_t column, float sum) {
  const std::int64_t i = row * args.columns + column;
  const bool clipped = args.clip_mask != nullptr && (args.clip_mask[i / 8] >> (i % 8) & 1) != 0;
  const float value = clipped ? 0.0f : sum * args.scale;
  float& output = args.output[row * args.output_stride + column];
  output = args.accumulate ? output + value : value;
}

void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region);

}  // namespace samebits::kernels::reference
