#include "kernels/conv/patches.h"

#include <algorithm>
#include <cstring>

#include "kernels/conv/conv2d_parts.h"
#include "kernels/conv/strided_rows.h"

namespace samebits::kernels {
namespace {

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/// Columns of the image that every stride-th one from `first` on hits.
std::int64_t columns_of_phase(const Conv2dShape& shape, std::int64_t first) {
  return shape.width > first ? (shape.width - first - 1) / shape.stride_width + 1 : 0;
}

/// Whether rows of an output's length hold all columns of a phase, so that position + 1 is the next column of
/// it.
bool fits_in_raster(const Conv2dShape& shape) {
  return columns_of_phase(shape, 0) <= shape.out_width();
}

}  // namespace

Patches::Patches(const Conv2dShape& shape, std::int8_t zero_point, std::int64_t block_pixels)
    : shape_(shape),
      zero_point_(zero_point),
      out_width_(shape.out_width()),
      pixels_(shape.out_height() * shape.out_width()),
      is_raster_(fits_in_raster(shape)),
      inside_size_((pixels_ + 63) / 64 * 64) {
  place_kernel();
  line_size_ = before_ + padded_pixels(block_pixels) + behind_;
  codes_.resize(shape.in_channels * std::ssize(lines_) * line_size_ + kStridedRowsSlack);
  line_taps_ = taps(line_size_);
  image_taps_ = taps(shape.height * shape.width);
  mark_inside();
}

void Patches::place_kernel() {
  for (std::int64_t row = 0; row < shape_.kernel_height; ++row) {
    for (std::int64_t column = 0; column < shape_.kernel_width; ++column) {
      places_.push_back(place(row, column));
      before_ = std::max(before_, -places_.back().shift);
      behind_ = std::max(behind_, places_.back().shift);
    }
  }
}

Patches::Place Patches::place(std::int64_t kernel_row, std::int64_t kernel_column) {
  const std::int64_t row = kernel_row * shape_.dilation_height - shape_.padding_height;
  const std::int64_t column = kernel_column * shape_.dilation_width - shape_.padding_width;
  const std::int64_t rows = floor_divide(row, shape_.stride_height),
                     row_phase = row - rows * shape_.stride_height;
  if (!is_raster_) {
    const Range inside = columns_inside(shape_, kernel_column);
    return {line_index({row_phase, column, inside.begin, inside.end}), rows * out_width_};
  }
  const std::int64_t columns = floor_divide(column, shape_.stride_width);
  const std::int64_t column_phase = column - columns * shape_.stride_width;
  const std::int64_t end = columns_of_phase(shape_, column_phase);
  return {line_index({row_phase, column_phase, 0, end}), rows * out_width_ + columns};
}

std::int64_t Patches::line_index(const Line& line) {
  const auto same = [&](const Line& other) { return other.row == line.row && other.column == line.column; };
  const auto found = std::find_if(lines_.begin(), lines_.end(), same);
  if (found != lines_.end()) return found - lines_.begin();
  lines_.push_back(line);
  return std::ssize(lines_) - 1;
}

/// The taps of the first group, where a line has `line_size` positions.
std::vector<PatchTap> Patches::taps(std::int64_t line_size) const {
  std::vector<PatchTap> taps;
  for (std::int64_t channel = 0; channel < shape_.in_channels / shape_.groups; ++channel)
    for (std::int64_t place = 0; place < std::ssize(places_); ++place)
      taps.push_back(
          {.x = (channel * std::ssize(lines_) + places_[place].line) * line_size + places_[place].shift,
           .inside = place * inside_size_});
  return taps;
}

void Patches::mark_inside() {
  if (shape_.padding_height == 0 && shape_.padding_width == 0) return;
  inside_.assign(std::ssize(places_) * inside_size_, 0);
  std::uint8_t* line = inside_.data();
  for (std::int64_t kernel_row = 0; kernel_row < shape_.kernel_height; ++kernel_row) {
    const Range rows = rows_inside(shape_, kernel_row);
    for (std::int64_t kernel_column = 0; kernel_column < shape_.kernel_width; ++kernel_column) {
      const Range columns = columns_inside(shape_, kernel_column);
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        std::memset(line + row * out_width_ + columns.begin, 0xFF, columns.end - columns.begin);
      line += inside_size_;
    }
  }
}

void Patches::load(const std::int8_t* image, bool has_neighbors, const PixelBlock& block) {
  if (block.begin != block_.begin || block.end != block_.end) segments_.clear();
  block_ = block;
  const std::int64_t channel_size = shape_.height * shape_.width;
  const std::int64_t slack = has_neighbors ? shape_.in_channels * channel_size : 0;
  const std::int64_t first = block.begin - before_;
  const std::int64_t last = block.begin + padded_pixels(block.end - block.begin) + behind_;
  reads_image_ = is_raster_ && shape_.stride_height == 1 && shape_.stride_width == 1 &&
                 out_width_ == shape_.width && first >= -slack && last <= channel_size + slack;
  x_ = reads_image_ ? image + block.begin : codes_.data() + before_;
  if (!reads_image_) copy_lines(image, image + shape_.in_channels * channel_size + slack);
}

void Patches::copy_lines(const std::int8_t* image, const std::int8_t* readable_end) {
  if (segments_.empty())
    for (std::int64_t line = 0; line < std::ssize(lines_); ++line) cut_line(line);
  std::int8_t* to = codes_.data();
  for (std::int64_t channel = 0; channel < shape_.in_channels; ++channel) {
    for (const Segment& segment : segments_)
      copy_strided_rows({.from = image + segment.from,
                         .from_end = readable_end,
                         .from_row = shape_.stride_height * shape_.width,
                         .stride = shape_.stride_width,
                         .to = to + segment.to,
                         .to_row = out_width_,
                         .n = segment.n,
                         .rows = segment.rows});
    image += shape_.height * shape_.width;
    to += std::ssize(lines_) * line_size_;
  }
}

/// Adds the segments of a line: what the block reads of it, as far as it lies inside of the image. Their
/// order is the one of their places, so that what is written behind a row is written before the next.
void Patches::cut_line(std::int64_t index) {
  const Line& line = lines_[index];
  const std::int64_t rows = (shape_.height - line.row + shape_.stride_height - 1) / shape_.stride_height;
  const std::int64_t begin = block_.begin - before_;
  const std::int64_t end =
      std::min(rows * out_width_, block_.begin + padded_pixels(block_.end - block_.begin) + behind_);
  for (std::int64_t position = std::max<std::int64_t>(begin, 0); position < end;) {
    const std::int64_t row = position / out_width_, column = position % out_width_;
    const std::int64_t whole_rows = column == 0 ? (end - position) / out_width_ : 0;  // else a part of one
    const std::int64_t length =
        whole_rows > 0 ? whole_rows * out_width_ : std::min(out_width_ - column, end - position);
    const std::int64_t first = std::max(line.begin, column);
    const std::int64_t last = whole_rows > 0 ? line.end : std::min(line.end, column + length);
    if (first < last)
      segments_.push_back({.from = (row * shape_.stride_height + line.row) * shape_.width +
                                   first * shape_.stride_width + line.column,
                           .to = index * line_size_ + position - column + first - begin,
                           .n = last - first,
                           .rows = std::max<std::int64_t>(whole_rows, 1)});
    position += length;
  }
}

void Patches::pack(std::int64_t group, std::int8_t* packed) const {
  const std::int64_t channels = shape_.in_channels / shape_.groups;
  const std::int64_t channel_size =
      reads_image_ ? shape_.height * shape_.width : std::ssize(lines_) * line_size_;
  pack_patches({.x = x_ + group * channels * channel_size,
                .taps = reads_image_ ? image_taps_ : line_taps_,
                .inside = inside_.empty() ? nullptr : inside_.data() + block_.begin,
                .border = zero_point_,
                .packed = packed,
                .block_bytes = kColumnBlock * padded_depth(shape_.depth())},
               block_.end - block_.begin);
}

}  // namespace samebits::kernels
