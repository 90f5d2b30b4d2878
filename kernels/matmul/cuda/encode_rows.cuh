// A weight by rows: a warp a short row, a block a long one, which hold it in registers between finding its
// range and encoding it, so that memory is read once.
#pragma once

#include <math.h>

#include <limits>

#include "kernels/common/cuda/grids.cuh"
#include "kernels/matmul/cuda/encode_rows.h"
#include "kernels/matmul/epilogue.h"
#include "kernels/observe/cuda/ranges.cuh"
#include "kernels/quantize/cuda/octets.cuh"

namespace samebits::kernels::cuda {

/// `kRowThreads` threads that share a row: a warp of a block, or all of it.
template <int kRowThreads>
struct RowTeam {
  static constexpr std::int64_t kRowsPerBlock = kThreads / kRowThreads;

  __device__ static std::int64_t own() { return threadIdx.x % kRowThreads; }

  /// fold(value of each warp) for all threads of the team together; `fold` takes two values.
  template <class T, class Fold>
  __device__ static T fold_warps(T of_warp, Fold fold) {
    if constexpr (kRowThreads > 32) {
      __shared__ T of_warps[kRowThreads / 32];
      __syncthreads();  // what the row before left was read
      if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = of_warp;
      __syncthreads();
      of_warp = of_warps[0];
      for (int i = 1; i < kRowThreads / 32; ++i) of_warp = fold(of_warp, of_warps[i]);
    }
    return of_warp;
  }
  __device__ static MinMax range(float least, float greatest, bool saw_nan) {
    const MinMax of_warp = merge_lanes({least + 0.0f, greatest + 0.0f, saw_nan});  // -0 becomes +0
    if constexpr (kRowThreads == 32) return of_warp;
    const auto less = [](float a, float b) { return fminf(a, b); };
    const auto more = [](float a, float b) { return fmaxf(a, b); };
    const auto either = [](int a, int b) { return a | b; };
    return {fold_warps(of_warp.min, less), fold_warps(of_warp.max, more),
            fold_warps(static_cast<int>(of_warp.saw_nan), either) != 0};
  }
  __device__ static std::int32_t sum(std::int32_t value) {
    for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(kAllLanes, value, apart);
    return fold_warps(value, [](std::int32_t a, std::int32_t b) { return a + b; });
  }
};

/// The grid of a row, found or given.
__device__ inline AffineGrid row_grid(const WeightRows& w, std::int64_t row, const MinMax& range,
                                      bool is_first) {
  const std::int64_t index = w.has_one_scale ? 0 : row;
  if (!w.finds_grids) return GridArrays{w.scale, w.zero_point, w.qmin, w.qmax}.grid(index);
  const bool is_finite = isfinite(range.min) && isfinite(range.max);
  const AffineGrid grid = grid_of_range(is_finite ? range.min : 0.0f, is_finite ? range.max : 0.0f, w.qmin,
                                        w.qmax, w.zero_point == nullptr);
  if (is_first) {
    w.scale[index] = grid.scale;
    if (w.zero_point != nullptr) w.zero_point[index] = grid.zero_point;
    if (!is_finite && !range.saw_nan && w.not_finite != nullptr) atomicOr(w.not_finite, kRowHoldsInfinity);
  }
  return grid;
}

/// One row of the forward: takes octets, then ends.
struct ForwardRow {
  const ForwardRows& out;
  std::int64_t row;
  std::int32_t sum = 0;

  __device__ void take(const Octet& octet, std::int64_t first, int count) {
    store_octet(out.codes + row * out.stride + first, count, octet, 0);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += i < count ? octet.centered[i] : 0;
  }
  template <class Team>
  __device__ void end(const WeightRows& w, const AffineGrid& grid) {
    sum = Team::sum(sum);
    for (std::int64_t i = w.row_length + Team::own(); i < out.stride; i += kThreads / Team::kRowsPerBlock)
      out.codes[row * out.stride + i] = 0;
    if (Team::own() != 0) return;
    out.correction[row] = __ldg(out.x_zero_point) * sum;
    const float factor = out.channel_scale == nullptr ? 1.0f : __ldg(out.channel_scale + row);
    out.scale[row] = sum_scale(__ldg(out.x_scale), grid.scale, factor);
  }
};

/// One row of the backward.
struct BackwardRow {
  const BackwardRows& out;
  std::int64_t row, row_length;

  __device__ void take(const Octet& octet, std::int64_t first, int count) {
    out.clip_mask[row * ((row_length + 7) / 8) + first / 8] = clip_byte(octet, count);
    store_exact(out.codes + row * row_length + first, count, octet.centered);
  }
  template <class Team>
  __device__ void end(const WeightRows& /*w*/, const AffineGrid& /*grid*/) {}
};
__device__ inline ForwardRow row_of(const ForwardRows& out, const WeightRows& /*w*/, std::int64_t row) {
  return {out, row};
}
__device__ inline BackwardRow row_of(const BackwardRows& out, const WeightRows& w, std::int64_t row) {
  return {out, row, w.row_length};
}

/// Rows from the first of this team on. kOctets of a thread are held; what is left of a longer row is read
/// twice. Launch with any number of blocks.
template <int kRowThreads, int kOctets, class Out>
__global__ void __launch_bounds__(kThreads) encode_rows(WeightRows w, Out out) {
  using Team = RowTeam<kRowThreads>;
  const std::int64_t own = Team::own(), held = std::int64_t{kRowThreads} * kOctets * 8;
  const std::int64_t first_row = blockIdx.x * Team::kRowsPerBlock + threadIdx.x / kRowThreads;
  for (std::int64_t row = first_row; row < w.rows; row += gridDim.x * Team::kRowsPerBlock) {
    const float* const x = w.weight + row * w.row_length;
    const auto count_at = [&](std::int64_t first) {
      const std::int64_t left = w.row_length - first;
      return static_cast<int>(left < 0 ? 0 : left < 8 ? left : 8);
    };
    float r[kOctets][8];
#pragma unroll
    for (int i = 0; i < kOctets; ++i) {
      const std::int64_t first = (own + std::int64_t{i} * kRowThreads) * 8;
      load_octet<float>(x, first, count_at(first), r[i]);
    }
    MinMax range;
    if (w.finds_grids) {
      float least = std::numeric_limits<float>::infinity(), greatest = -least;
      bool saw_nan = false;
      const auto see = [&](const float(&values)[8], int count) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          if (i >= count) continue;
          least = fminf(least, values[i]);
          greatest = fmaxf(greatest, values[i]);
          saw_nan |= isnan(values[i]) != 0;
        }
      };
#pragma unroll
      for (int i = 0; i < kOctets; ++i) see(r[i], count_at((own + std::int64_t{i} * kRowThreads) * 8));
      for_each_octet(w.row_length - held, own, kRowThreads, [&](std::int64_t first, int count) {
        float more[8];
        load_octet<float>(x, held + first, count, more);
        see(more, count);
      });
      range = Team::range(least, greatest, saw_nan);
    }
    const AffineGrid plain = row_grid(w, row, range, own == 0);
    const OctetGrid grid(plain);
    auto taken = row_of(out, w, row);
    bool has_nan = false;
    const auto encode = [&](const float(&values)[8], std::int64_t first, int count) {
      const Octet octet = quantize_octet<false>(values, grid);
      has_nan |= octet.has_nan;
      taken.take(octet, first, count);
    };
#pragma unroll
    for (int i = 0; i < kOctets; ++i) {
      const std::int64_t first = (own + std::int64_t{i} * kRowThreads) * 8;
      if (first < w.row_length) encode(r[i], first, count_at(first));
    }
    for_each_octet(w.row_length - held, own, kRowThreads, [&](std::int64_t first, int count) {
      float more[8];
      load_octet<float>(x, held + first, count, more);
      encode(more, held + first, count);
    });
    taken.template end<Team>(w, plain);
    report_nan(has_nan, w.not_finite);
  }
}

/// Zeros in the codes of rows [rows, padded_rows). Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads) clear_rows(std::int64_t rows, ForwardRows out) {
  for_each_octet((out.padded_rows - rows) * out.stride, [&](std::int64_t first, int count) {
    store_octet(out.codes + rows * out.stride + first, count, Octet{}, 0);
  });
}

}  // namespace samebits::kernels::cuda
