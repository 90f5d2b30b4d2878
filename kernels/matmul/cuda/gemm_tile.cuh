// What the matrix products on CUDA share: how the depth is cut into steps that never cross a group, how codes
// come from memory into words of four, centered on their zero points, and how a thread ends its outputs.
#pragma once

#include <type_traits>

#include "kernels/common/cuda/quads.cuh"
#include "kernels/formats/cuda/nibbles.cuh"
#include "kernels/matmul/cuda/dot_product.cuh"
#include "kernels/matmul/cuda/gemm_int4.h"

namespace samebits::kernels::cuda {

constexpr int kStepDepth = 32;              // codes of a row that a block stages at once
constexpr int kStepWords = kStepDepth / 4;  // the same in words
constexpr int kLoadCodes = kStepDepth / 2;  // that one thread loads
constexpr int kTileColumns = 64;            // of a block
constexpr int kPaddedColumns =
    kTileColumns + 4;  // spreads a column of words over the banks, and keeps 16 bytes

/// The depth as steps of at most kStepDepth within a group, groups ascending.
struct DepthSteps {
  std::int64_t depth, groups, k, per_group, count;

  __device__ explicit DepthSteps(const Int4Shape& shape)
      : depth(shape.depth()),
        groups(shape.groups()),
        k(shape.k),
        per_group((depth + kStepDepth - 1) / kStepDepth),
        count((groups - 1) * per_group + (k - (groups - 1) * depth + kStepDepth - 1) / kStepDepth) {}

  struct Step {
    std::int64_t group, begin, end;  // end: of the group
    bool ends_group;
  };
  __device__ Step first() const { return step_of(0, 0); }
  __device__ Step after(const Step& step) const {
    return step.ends_group
               ? step_of(step.group + 1, step.end)
               : Step{step.group, step.begin + kStepDepth, step.end, step.begin + 2 * kStepDepth >= step.end};
  }
  __device__ Step at(std::int64_t step) const {
    const std::int64_t group = step / per_group, begin = group * depth + step % per_group * kStepDepth;
    const std::int64_t end = group + 1 < groups ? (group + 1) * depth : k;
    return {group, begin, end, begin + kStepDepth >= end};
  }

 private:
  __device__ Step step_of(std::int64_t group, std::int64_t begin) const {
    const std::int64_t end = group + 1 < groups ? begin + depth : k;
    return {group, begin, end, begin + kStepDepth >= end};
  }
};

/// kLoadCodes codes as words of four.
struct CodeWords {
  unsigned word[4];
};

/// Keeps the first `count` codes.
__device__ inline CodeWords first_codes(CodeWords codes, int count) {
#pragma unroll
  for (int i = 0; i < 4; ++i) codes.word[i] = lowest_bytes(codes.word[i], count - 4 * i);
  return codes;
}

/// codes[0, count), zeros behind them.
__device__ inline CodeWords load_bytes(const std::int8_t* codes, int count) {
  if (count == kLoadCodes && is_aligned<uint4>(codes)) {
    const uint4 v = *reinterpret_cast<const uint4*>(codes);
    return {{v.x, v.y, v.z, v.w}};
  }
  CodeWords loaded{};
#pragma unroll
  for (int i = 0; i < kLoadCodes; ++i)
    if (i < count) loaded.word[i / 4] |= (static_cast<unsigned>(codes[i]) & 0xFFu) << (i % 4 * 8);
  return loaded;
}

/// Four nibbles as bytes: signed or not.
template <CodeFormat format>
__device__ unsigned bytes_of(unsigned nibbles) {
  const unsigned bytes = bytes_of_nibbles(nibbles);
  return format == CodeFormat::kInt4 ? bytes : bytes & 0x0F0F0F0Fu;
}

/// Nibbles [first, first + count) of `packed`, zeros behind them.
template <CodeFormat format>
__device__ CodeWords load_nibbles(const std::uint8_t* packed, std::int64_t first, int count) {
  if (count == kLoadCodes && first % kLoadCodes == 0 && is_aligned<uint2>(packed)) {
    const uint2 v = *reinterpret_cast<const uint2*>(packed + first / 2);
    return {{bytes_of<format>(v.x), bytes_of<format>(v.x >> 16), bytes_of<format>(v.y),
             bytes_of<format>(v.y >> 16)}};
  }
  CodeWords loaded{};
#pragma unroll
  for (int i = 0; i < kLoadCodes; ++i) {
    if (i >= count) continue;
    const std::int64_t at = first + i;
    const unsigned nibble = static_cast<unsigned>(packed[at / 2]) >> (at % 2 * 4) & 0xFu;
    loaded.word[i / 4] |= (bytes_of<format>(nibble) & 0xFFu) << (i % 4 * 8);
  }
  return loaded;
}

/// How many of the kLoadCodes codes from k on belong to a step.
__device__ inline int codes_left(std::int64_t k, const DepthSteps::Step& step) {
  const std::int64_t left = step.end - k;
  return static_cast<int>(left < 0 ? 0 : left < kLoadCodes ? left : kLoadCodes);
}

/// code - zero_point of weight row n, kLoadCodes of them from k on; zeros past the step and the matrix.
template <CodeFormat format>
__device__ CodeWords load_weight(const RowMajorWeight& b, std::int64_t n, std::int64_t k,
                                 const DepthSteps::Step& step) {
  const int count = n < b.shape.n ? codes_left(k, step) : 0;
  if (count == 0) return {};
  CodeWords codes;
  if constexpr (format == CodeFormat::kInt8)
    codes = load_bytes(static_cast<const std::int8_t*>(b.codes) + n * b.shape.k + k, count);
  else
    codes = load_nibbles<format>(static_cast<const std::uint8_t*>(b.codes), n * b.shape.k + k, count);
  if (b.zero_point == nullptr) return codes;
  const unsigned zeros = four_bytes(__ldg(b.zero_point + n * b.shape.groups() + step.group));
#pragma unroll
  for (unsigned& word : codes.word) word = subtract_bytes(word, zeros);
  return first_codes(codes, count);
}

/// Words to rows of a tile [kStepWords][kPaddedColumns]: column `line`, from word 4 * half on.
__device__ inline void stage(unsigned (&tile)[kStepWords][kPaddedColumns], int line, int half,
                             const CodeWords& codes) {
#pragma unroll
  for (int i = 0; i < 4; ++i) tile[4 * half + i][line] = codes.word[i];
}

/// Four neighbours of a tile row.
__device__ inline void load_words(const unsigned* words, unsigned (&r)[4]) {
  const uint4 v = *reinterpret_cast<const uint4*>(words);
  r[0] = v.x, r[1] = v.y, r[2] = v.z, r[3] = v.w;
}

/// scale[column + i][group], 0 past the last column.
__device__ inline void load_scales(const RowMajorWeight& b, std::int64_t column, std::int64_t group,
                                   float (&scale)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i)
    scale[i] = column + i < b.shape.n ? __ldg(b.scale + (column + i) * b.shape.groups() + group) : 0.0f;
}

/// Bias, mask, relu and store of four neighbours of a row. `row` may lie past the last one. For all lanes of
/// a warp together, neighbours in x holding neighbouring quads.
__device__ inline void finish_quad(const Int4Output& output, std::int64_t n, bool is_row, std::int64_t row,
                                   std::int64_t column, float (&y)[4]) {
  const std::int64_t left = is_row ? n - column : 0;
  const int count = static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (output.bias != nullptr && i < count) y[i] = y[i] + __ldg(output.bias + column + i);
    if (output.relu && y[i] < 0.0f) y[i] = 0.0f;
  }
  if (count > 0) store_quad(output.y + row * output.stride + column, count, y);
}

// ---- for launchers ----

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
inline unsigned blocks_for_tiles(std::int64_t m, std::int64_t n, std::int64_t rows) {
  return blocks_for((m + rows - 1) / rows * ((n + kTileColumns - 1) / kTileColumns), 1);
}

}  // namespace samebits::kernels::cuda
