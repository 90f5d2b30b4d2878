// conv2d of depthwise shapes: each plane is widened to 16 bits with its border, summed by depthwise_sums, and
// finished by the kernels of the unfused chain while its sums are in cache.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/conv/conv2d_parts.h"
#include "kernels/conv/depthwise.h"
#include "kernels/float/relu.h"
#include "kernels/matmul/epilogue.h"
#include "kernels/quantize/quantize.h"

namespace samebits::kernels {
namespace {

// Outputs an input channel: with more the matrix multiplication is faster.
constexpr std::int64_t kMaxMultiplier = 8;
constexpr std::int64_t kSums = 4096;  // sums of a strip of rows, so that they stay in the first-level cache

/// The rows that a strip of output rows reads, with borders. With a stride above 2 the columns of a row are
/// sorted by column % stride, so that neighbouring outputs read neighbouring codes.
class WidePlane {
 public:
  WidePlane(const Conv2dShape& shape, std::int16_t zero_point, std::int64_t strip_rows)
      : shape_(shape),
        phases_(shape.stride_width > 2 ? shape.stride_width : 1),
        phase_size_((shape.width + 2 * shape.padding_width + phases_ - 1) / phases_),
        rows_((strip_rows - 1) * shape.stride_height + shape.dilation_height * (shape.kernel_height - 1) + 1),
        zero_point_(zero_point),
        codes_(rows_ * row_size() + kDepthwiseSlack, zero_point) {}

  /// Of a plane [height][width], what output rows from `out_row` on read.
  void load(const std::int8_t* plane, std::int64_t out_row);

  const std::int16_t* data() const { return codes_.data(); }
  std::int64_t row_size() const { return phases_ * phase_size_; }
  std::int64_t step() const { return phases_ == 1 ? shape_.stride_width : 1; }

  /// The products of one output channel, whose weights are [kernel_height][kernel_width].
  void pair_taps(const std::int8_t* weights, std::vector<TapPair>& pairs) const;

 private:
  std::int64_t column_index(std::int64_t column) const {
    return column % phases_ * phase_size_ + column / phases_;
  }

  const Conv2dShape& shape_;
  const std::int64_t phases_, phase_size_, rows_;
  const std::int16_t zero_point_;
  std::vector<std::int16_t> codes_;
};

void WidePlane::load(const std::int8_t* plane, std::int64_t out_row) {
  const std::int64_t in_row = out_row * shape_.stride_height - shape_.padding_height;  // of the first row
  const std::int64_t first = std::clamp<std::int64_t>(-in_row, 0, rows_);
  const std::int64_t last = std::clamp<std::int64_t>(shape_.height - in_row, first, rows_);
  std::fill_n(codes_.data(), first * row_size(), zero_point_);
  std::fill(codes_.data() + last * row_size(), codes_.data() + rows_ * row_size(), zero_point_);
  if (first == last) return;
  const std::int8_t* from = plane + (in_row + first) * shape_.width;
  std::int16_t* to = codes_.data() + first * row_size();
  if (phases_ == 1) {  // the columns beside the image keep their zero points
    widen_rows({from, shape_.width, to + shape_.padding_width, row_size(), shape_.width, last - first});
    return;
  }
  for (std::int64_t row = first; row < last; ++row, from += shape_.width, to += row_size())
    for (std::int64_t i = 0; i < shape_.width; ++i) to[column_index(shape_.padding_width + i)] = from[i];
}

void WidePlane::pair_taps(const std::int8_t* weights, std::vector<TapPair>& pairs) const {
  pairs.clear();
  for (std::int64_t row = 0; row < shape_.kernel_height; ++row) {
    for (std::int64_t column = 0; column < shape_.kernel_width; ++column) {
      const std::int64_t offset =
          row * shape_.dilation_height * row_size() + column_index(column * shape_.dilation_width);
      const std::int16_t weight = weights[row * shape_.kernel_width + column];
      TapPair* last = column == 0 ? nullptr : &pairs.back();
      if (last != nullptr && column % 2 == 1 && last->offset + 1 == offset) {
        last->weights[1] = weight;
      } else {
        pairs.push_back({offset, {weight, 0}});
      }
    }
  }
}

/// Sums of one channel -> output elements [first, first + n) of a plane. `first` is a multiple of 8.
class Finisher {
 public:
  Finisher(const LayerTerms& terms, const Conv2dOutput& output, std::int64_t pixels, std::int64_t strip)
      : terms_(terms), output_(output), pixels_(pixels), mask_((strip + 7) / 8) {
    if (output.type == GemmOutput::kCodes) reals_.resize(strip);
  }

  /// Returns whether a value was NaN, for codes only.
  bool finish(const std::int32_t* sums, std::int64_t channel, std::int64_t plane, std::int64_t first,
              std::int64_t n) {
    const bool wants_codes = output_.type == GemmOutput::kCodes;
    const std::int64_t to = plane * pixels_ + first;
    float* y = wants_codes ? reals_.data() : static_cast<float*>(output_.data) + to;
    epilogue_channel(sums, channel_terms(terms_, channel), y, n);
    // What lies below 0 clips to the code of 0 where that is the lowest: the codes are those of the relu.
    const bool is_clipped_relu = wants_codes && output_.grid.zero_point == output_.grid.qmin;
    if (output_.relu && !is_clipped_relu) relu({.x = y, .y = y, .clip_mask = mask_.data()}, 0, n);
    if (!wants_codes) return false;
    return quantize_run({.x = y, .codes = static_cast<std::int8_t*>(output_.data) + to, .clip_mask = nullptr},
                        output_.grid, 0, n);
  }

 private:
  const LayerTerms& terms_;
  const Conv2dOutput& output_;
  const std::int64_t pixels_;
  std::vector<std::uint8_t> mask_;  // relu writes one, and nobody reads it
  std::vector<float> reals_;
};

}  // namespace

bool is_depthwise(const Conv2dShape& shape) {
  return shape.groups == shape.in_channels && shape.out_channels <= kMaxMultiplier * shape.in_channels;
}

bool conv2d_depthwise(const PackedWeight& weights, const LayerTerms& terms, const Conv2dShape& shape,
                      const AffineGrid& x_grid, const std::int8_t* x_codes, const Conv2dOutput& output,
                      std::int64_t begin, std::int64_t end) {
  const std::int64_t rows = shape.out_height(), columns = shape.out_width();
  const std::int64_t multiplier = shape.out_channels / shape.groups;
  // Strips of 8 rows start at whole bytes of the mask.
  const std::int64_t strip_rows = std::min(rows, std::max<std::int64_t>(8, kSums / columns / 8 * 8));
  WidePlane plane(shape, static_cast<std::int16_t>(x_grid.zero_point), strip_rows);
  Finisher finisher(terms, output, rows * columns, strip_rows * columns);
  std::vector<std::int32_t> sums(strip_rows * columns + kDepthwiseSlack);
  std::vector<TapPair> pairs;
  bool saw_nan = false;
  for (std::int64_t first = begin; first < end;) {  // output planes that share an input plane
    const std::int64_t last = std::min(end, (first / multiplier + 1) * multiplier);
    const std::int8_t* x_plane = x_codes + first / multiplier * shape.height * shape.width;
    for (std::int64_t row = 0; row < rows; row += strip_rows) {
      const std::int64_t strip = std::min(strip_rows, rows - row);
      plane.load(x_plane, row);
      for (std::int64_t out_plane = first; out_plane < last; ++out_plane) {
        const std::int64_t channel = out_plane % shape.out_channels;
        plane.pair_taps(weights.codes.data() + channel * shape.depth(), pairs);
        depthwise_sums(
            {plane.data(), shape.stride_height * plane.row_size(), plane.step(), pairs, columns, sums.data()},
            0, strip);
        saw_nan |= finisher.finish(sums.data(), channel, out_plane, row * columns, strip * columns);
      }
    }
    first = last;
  }
  return saw_nan;
}

}  // namespace samebits::kernels
