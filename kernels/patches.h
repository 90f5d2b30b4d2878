// The patches of a block of pixels, packed as gemm_int8's right-hand matrix. Decides from where pack_patches
// reads: from the image itself where an output row is as long as an input row, so that one offset leads from
// every pixel to what a tap reads (and a line of bytes tells which taps lie outside), else from lines in
// which this was arranged.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/pack_patches.h"

namespace samebits::kernels {

/// Pixels [begin, end) of one image's output, row by row.
struct PixelBlock {
  std::int64_t begin, end;
};

class Patches {
 public:
  /// For blocks of at most `block_pixels` pixels. `shape` must outlive this.
  Patches(const Conv2dShape& shape, std::int8_t zero_point, std::int64_t block_pixels);

  /// Chooses the block to pack. `image` has the codes of all channels. `has_neighbors`: as many codes as an
  /// image has may be read before it and behind it, where they are of no meaning.
  void load(const std::int8_t* image, bool has_neighbors, const PixelBlock& block);

  /// Packs the block for the channels of one group: rows of depth() codes, a pixel each, as gemm_int8.h lays
  /// them out. `packed` has room for padded_pixels of the block; the padding of the depth must be 0 already.
  void pack(std::int64_t group, std::int8_t* packed) const;

 private:
  /// The first group's taps, for channels that lie `channel_size` codes apart.
  std::vector<PatchTap> raster_taps(std::int64_t channel_size) const;
  std::vector<PatchTap> line_taps() const;
  void mark_inside();
  void copy_raster(const std::int8_t* image);
  void fill_lines(const std::int8_t* image);
  void fill_line(const std::int8_t* channel, std::int64_t kernel_column, std::int64_t phase,
                 std::int8_t* line) const;

  const Conv2dShape& shape_;
  const std::int8_t zero_point_;
  const std::int64_t out_width_, pixels_;
  const bool is_raster_;          // every pixel is as far from what a tap reads as its neighbour
  std::int64_t before_, behind_;  // codes that taps reach before and behind their pixel
  std::int64_t line_size_;        // of lines_: a channel (raster), or a channel, kernel column and row phase
  std::vector<std::int8_t> lines_;
  std::vector<std::uint8_t>
      inside_;  // [kernel_height][kernel_width][padded pixels of an image]; empty: all inside
  std::vector<PatchTap> image_taps_, lines_taps_;  // for x in the image, in lines_
  PixelBlock block_{};
  const std::vector<PatchTap>* taps_ = nullptr;
  const std::int8_t* x_ = nullptr;
  std::int64_t group_size_ = 0;  // codes or lines of a group's channels
};

}  // namespace samebits::kernels
