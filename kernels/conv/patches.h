// The patches of a block of pixels, packed as gemm_int8's right-hand matrix. Decides from where pack_patches
// reads: from the image itself where output rows are as long as its own, so that every pixel is as far from
// what a tap reads as its neighbour, else from lines in which this was arranged. Which taps lie outside of
// the image is told by lines of bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv/conv2d.h"
#include "kernels/conv/pack_patches.h"

namespace samebits::kernels {

/// Pixels [begin, end) of one image's output, row by row.
struct PixelBlock {
  std::int64_t begin, end;
};

class Patches {
 public:
  /// For blocks of at most `block_pixels` pixels. `shape` must outlive this.
  Patches(const Conv2dShape& shape, std::int8_t zero_point, std::int64_t block_pixels);

  /// Chooses the block to pack; its begin is a multiple of kPatchPixels. `image` has the codes of all
  /// channels, and must stay until the block is packed. `has_neighbors`: as many codes as an image has can be
  /// read before it and behind it.
  void load(const std::int8_t* image, bool has_neighbors, const PixelBlock& block);

  /// Packs the block for the channels of one group: rows of depth() codes, a pixel each, as gemm_int8.h lays
  /// them out. `packed` has room for padded_pixels of the block; the padding of the depth must be 0 already.
  void pack(std::int64_t group, std::int8_t* packed) const;

 private:
  /// Codes of one channel, so many a row as the output has columns: row j, column c is row stride_height * j
  /// + row, column stride_width * c + column of the image. Columns outside of [begin, end) are outside of the
  /// image, or not read.
  struct Line {
    std::int64_t row, column, begin, end;
  };
  /// Where a place of the kernel reads: pixel p reads position p + shift of a line.
  struct Place {
    std::int64_t line, shift;
  };

  /// Rows of a line that the block reads: codes of a channel, and where they go in codes_.
  struct Segment {
    std::int64_t from, to, n, rows;
  };

  void place_kernel();
  Place place(std::int64_t kernel_row, std::int64_t kernel_column);
  std::int64_t line_index(const Line& line);
  std::vector<PatchTap> taps(std::int64_t line_size) const;
  void mark_inside();
  void cut_line(std::int64_t index);
  void copy_lines(const std::int8_t* image, const std::int8_t* readable_end);

  const Conv2dShape& shape_;
  const std::int8_t zero_point_;
  const std::int64_t out_width_, pixels_;
  const bool is_raster_;                  // a line serves all kernel columns of its column phase
  std::vector<Line> lines_;               // of each channel
  std::vector<Place> places_;             // [kernel_height][kernel_width]
  std::int64_t before_ = 0, behind_ = 0;  // positions that taps reach before and behind their pixel
  std::int64_t line_size_;
  std::vector<std::int8_t> codes_;      // [in_channels][lines][line_size_]
  std::int64_t inside_size_;            // of a place: whole cache lines, as vectors are read from it
  AlignedVector<std::uint8_t> inside_;  // [places][inside_size_]: pack_patches.h; empty: all inside
  std::vector<PatchTap> image_taps_, line_taps_;  // for x in the image, in codes_
  PixelBlock block_{};
  std::vector<Segment> segments_;  // of a channel, for block_; empty while not needed
  const std::int8_t* x_ = nullptr;
  bool reads_image_ = false;
};

}  // namespace samebits::kernels
