#include "kernels/patches.h"

#include <algorithm>
#include <cstring>

#include "kernels/conv2d_parts.h"

namespace samebits::kernels {
namespace {

bool reads_in_raster(const Conv2dShape& shape) {
  return shape.stride_height == 1 && shape.stride_width == 1 && shape.out_width() == shape.width;
}

/// to[0, end - begin) of what outputs [begin, end) of a row read: `row` holds what output 0 reads at index
/// `offset`, outputs of `inside` lie within it.
void copy_outputs(const std::int8_t* row, std::int64_t offset, std::int64_t stride, const Range& inside,
                  const Range& outputs, std::int8_t border, std::int8_t* to) {
  const std::int64_t first = std::clamp(inside.begin, outputs.begin, outputs.end);
  const std::int64_t last = std::clamp(inside.end, first, outputs.end);
  std::memset(to, border, first - outputs.begin);
  if (stride == 1) {
    std::memcpy(to + first - outputs.begin, row + offset + first, last - first);
  } else {
    for (std::int64_t i = first; i < last; ++i) to[i - outputs.begin] = row[offset + i * stride];
  }
  std::memset(to + last - outputs.begin, border, outputs.end - last);
}

}  // namespace

Patches::Patches(const Conv2dShape& shape, std::int8_t zero_point, std::int64_t block_pixels)
    : shape_(shape),
      zero_point_(zero_point),
      out_width_(shape.out_width()),
      pixels_(shape.out_height() * shape.out_width()),
      is_raster_(reads_in_raster(shape)) {
  if (is_raster_) {
    before_ = shape.padding_height * shape.width + shape.padding_width;
    behind_ = shape.dilation_height * (shape.kernel_height - 1) * shape.width +
              shape.dilation_width * (shape.kernel_width - 1) - before_;
    behind_ = std::max<std::int64_t>(behind_, 0);
    line_size_ = before_ + padded_pixels(block_pixels) + behind_;
    lines_.resize(shape.in_channels * line_size_);
    image_taps_ = raster_taps(shape.height * shape.width);
    lines_taps_ = raster_taps(line_size_);
    mark_inside();
  } else {
    const std::int64_t last_row = shape.dilation_height * (shape.kernel_height - 1);
    before_ = 0;
    behind_ = last_row / shape.stride_height * out_width_;
    line_size_ = padded_pixels(block_pixels) + behind_;
    lines_.resize(shape.in_channels * shape.kernel_width * shape.stride_height * line_size_);
    lines_taps_ = line_taps();
  }
}

std::vector<PatchTap> Patches::raster_taps(std::int64_t channel_size) const {
  const std::int64_t inside_line = padded_pixels(pixels_);
  std::vector<PatchTap> taps;
  for (std::int64_t channel = 0; channel < shape_.in_channels / shape_.groups; ++channel)
    for (std::int64_t row = 0; row < shape_.kernel_height; ++row)
      for (std::int64_t column = 0; column < shape_.kernel_width; ++column)
        taps.push_back({.x = channel * channel_size + row * shape_.dilation_height * shape_.width +
                             column * shape_.dilation_width - before_,
                        .inside = (row * shape_.kernel_width + column) * inside_line});
  return taps;
}

// Rows that taps read are told apart by their phase, row % stride_height: lines of one phase hold one row for
// each output row, and the taps of lower kernel rows read whole lines further on.
std::vector<PatchTap> Patches::line_taps() const {
  std::vector<PatchTap> taps;
  for (std::int64_t channel = 0; channel < shape_.in_channels / shape_.groups; ++channel)
    for (std::int64_t row = 0; row < shape_.kernel_height; ++row)
      for (std::int64_t column = 0; column < shape_.kernel_width; ++column) {
        const std::int64_t from = row * shape_.dilation_height;
        const std::int64_t line =
            (channel * shape_.kernel_width + column) * shape_.stride_height + from % shape_.stride_height;
        taps.push_back({.x = line * line_size_ + from / shape_.stride_height * out_width_, .inside = 0});
      }
  return taps;
}

void Patches::mark_inside() {
  if (shape_.padding_height == 0 && shape_.padding_width == 0) return;
  const std::int64_t line_size = padded_pixels(pixels_);
  inside_.assign(shape_.kernel_height * shape_.kernel_width * line_size, 0);
  std::uint8_t* line = inside_.data();
  for (std::int64_t kernel_row = 0; kernel_row < shape_.kernel_height; ++kernel_row) {
    const Range rows = rows_inside(shape_, kernel_row);
    for (std::int64_t kernel_column = 0; kernel_column < shape_.kernel_width;
         ++kernel_column, line += line_size) {
      const Range columns = columns_inside(shape_, kernel_column);
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        std::memset(line + row * out_width_ + columns.begin, 0xFF, columns.end - columns.begin);
    }
  }
}

void Patches::load(const std::int8_t* image, bool has_neighbors, const PixelBlock& block) {
  block_ = block;
  const std::int64_t channel_size = shape_.height * shape_.width,
                     channels = shape_.in_channels / shape_.groups;
  const std::int64_t first = block.begin - before_;
  const std::int64_t last = block.begin + padded_pixels(block.end - block.begin) + behind_;
  const std::int64_t slack = has_neighbors ? shape_.in_channels * channel_size : 0;
  if (is_raster_ && first >= -slack && last <= channel_size + slack) {
    x_ = image + block.begin;
    taps_ = &image_taps_;
    group_size_ = channels * channel_size;
  } else if (is_raster_) {
    copy_raster(image);
    x_ = lines_.data() + before_;
    taps_ = &lines_taps_;
    group_size_ = channels * line_size_;
  } else {
    fill_lines(image);
    x_ = lines_.data();
    taps_ = &lines_taps_;
    group_size_ = channels * shape_.kernel_width * shape_.stride_height * line_size_;
  }
}

void Patches::copy_raster(const std::int8_t* image) {
  const std::int64_t channel_size = shape_.height * shape_.width;
  const std::int64_t unclipped = block_.begin - before_;
  const std::int64_t first = std::max<std::int64_t>(unclipped, 0);
  const std::int64_t last = std::max(first, std::min(unclipped + line_size_, channel_size));
  for (std::int64_t channel = 0; channel < shape_.in_channels; ++channel)
    std::memcpy(lines_.data() + channel * line_size_ + first - unclipped,
                image + channel * channel_size + first, last - first);
}

void Patches::fill_lines(const std::int8_t* image) {
  const std::int64_t phases =
      std::min(shape_.stride_height, shape_.dilation_height * (shape_.kernel_height - 1) + 1);
  for (std::int64_t channel = 0; channel < shape_.in_channels; ++channel)
    for (std::int64_t column = 0; column < shape_.kernel_width; ++column)
      for (std::int64_t phase = 0; phase < phases; ++phase)
        fill_line(image + channel * shape_.height * shape_.width, column, phase,
                  lines_.data() +
                      ((channel * shape_.kernel_width + column) * shape_.stride_height + phase) * line_size_);
}

void Patches::fill_line(const std::int8_t* channel, std::int64_t kernel_column, std::int64_t phase,
                        std::int8_t* line) const {
  const Range columns = columns_inside(shape_, kernel_column);
  const std::int64_t offset = kernel_column * shape_.dilation_width - shape_.padding_width;
  const std::int64_t end = block_.end + behind_;
  for (std::int64_t pixel = block_.begin; pixel < end;) {
    const std::int64_t row = pixel / out_width_, column = pixel % out_width_;
    const Range outputs = {column, std::min(out_width_, column + end - pixel)};
    const std::int64_t in_row = row * shape_.stride_height + phase - shape_.padding_height;
    std::int8_t* to = line + pixel - block_.begin;
    if (in_row < 0 || in_row >= shape_.height) {
      std::memset(to, zero_point_, outputs.end - outputs.begin);
    } else {
      copy_outputs(channel + in_row * shape_.width, offset, shape_.stride_width, columns, outputs,
                   zero_point_, to);
    }
    pixel += outputs.end - outputs.begin;
  }
}

void Patches::pack(std::int64_t group, std::int8_t* packed) const {
  pack_patches({.x = x_ + group * group_size_,
                .taps = *taps_,
                .inside = inside_.empty() ? nullptr : inside_.data() + block_.begin,
                .border = zero_point_,
                .packed = packed,
                .block_bytes = kColumnBlock * padded_depth(shape_.depth())},
               block_.end - block_.begin);
}

}  // namespace samebits::kernels
