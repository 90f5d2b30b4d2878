// kernels/matmul/epilogue.h on CUDA: a thread makes four neighbours of a row.
#pragma once

#include "kernels/common/affine.h"
#include "kernels/common/cuda/grids.cuh"
#include "kernels/common/cuda/quads.cuh"
#include "kernels/matmul/cuda/epilogue.h"

namespace samebits::kernels::cuda {

/// Threads that a row takes.
SAMEBITS_HOST_DEVICE inline std::int64_t quads_per_row(std::int64_t n) {
  return (n + 3) / 4;
}

/// Four neighbours of a row, `count` of which exist.
struct RowQuad {
  std::int64_t row, column;
  int count;
};

/// Calls body(quad) for all quads of m rows of n elements, as for_each_quad does: all lanes together.
template <class Body>
__device__ void for_each_row_quad(std::int64_t m, std::int64_t n, Body body) {
  const std::int64_t per_row = quads_per_row(n), quads = m * per_row;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t base = static_cast<std::int64_t>(blockIdx.x) * blockDim.x; base < quads; base += stride) {
    const std::int64_t i = base + threadIdx.x;
    // A division in 32 bits is several times cheaper.
    const std::int64_t row = quads + stride <= UINT32_MAX
                                 ? static_cast<std::uint32_t>(i) / static_cast<std::uint32_t>(per_row)
                                 : i / per_row;
    const std::int64_t column = (i - row * per_row) * 4, left = row < m ? n - column : 0;
    body(RowQuad{row, column, static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4)});
  }
}

/// The terms of a quad's elements, zeros behind `count`.
struct QuadTerms {
  std::int32_t correction[4];
  float scale[4], bias[4];
};
__device__ inline QuadTerms terms_of(const EpilogueArgs& args, const RowQuad& quad) {
  QuadTerms terms{};
  const ChannelTerms& all = args.terms;
  if (!args.channels_are_rows) {
    load_quad(all.correction + quad.column, quad.count, terms.correction);
    load_quad(all.scale + quad.column, quad.count, terms.scale);
    if (all.bias != nullptr) load_quad(all.bias + quad.column, quad.count, terms.bias);
    return terms;
  }
  const std::int32_t correction = __ldg(all.correction + quad.row);
  const float scale = __ldg(all.scale + quad.row);
  const float bias = all.bias == nullptr ? 0.0f : __ldg(all.bias + quad.row);
#pragma unroll
  for (int i = 0; i < 4; ++i) terms.correction[i] = correction, terms.scale[i] = scale, terms.bias[i] = bias;
  return terms;
}

/// y of a quad, after the relu.
__device__ inline void values_of(const EpilogueArgs& args, const RowQuad& quad, float (&y)[4]) {
  if (quad.count == 0) return;
  std::int32_t sums[4];
  load_quad(args.sums + quad.row * args.sums_stride + quad.column, quad.count, sums);
  const QuadTerms terms = terms_of(args, quad);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    y[i] = static_cast<float>(sums[i] - terms.correction[i]) * terms.scale[i];
    if (args.terms.bias != nullptr) y[i] = y[i] + terms.bias[i];
    if (args.relu && y[i] < 0.0f) y[i] = 0.0f;
  }
}

/// args.output is float. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads) epilogue(EpilogueArgs args) {
  for_each_row_quad(args.m, args.n, [&](const RowQuad& quad) {
    float y[4] = {};
    values_of(args, quad, y);
    if (quad.count == 0) return;
    store_quad(static_cast<float*>(args.output) + quad.row * args.output_stride + quad.column, quad.count, y);
  });
}

/// args.output is int8. Launch with any number of blocks. `saw_nan` is set by the first NaN and never
/// cleared.
__global__ void __launch_bounds__(kThreads)
    epilogue_codes(EpilogueArgs args, GridArrays grid_array, int* saw_nan) {
  const AffineGrid grid = grid_array.grid(0);
  for_each_row_quad(args.m, args.n, [&](const RowQuad& quad) {
    float y[4] = {};
    values_of(args, quad, y);
    std::int8_t codes[4];
    bool has_nan = false;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      codes[i] = static_cast<std::int8_t>(code_at(grid_position(y[i], grid), grid));
      has_nan = has_nan || (i < quad.count && isnan(y[i]));
    }
    if (quad.count > 0)
      store_quad(static_cast<std::int8_t*>(args.output) + quad.row * args.output_stride + quad.column,
                 quad.count, codes);
    report_nan(has_nan, saw_nan);
  });
}

}  // namespace samebits::kernels::cuda
