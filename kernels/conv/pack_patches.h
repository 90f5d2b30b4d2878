// What the taps of a convolution read, in the order of gemm_int8's right-hand matrix b: pixels are its
// columns, taps its depth. The caller lays the codes out so that neighbouring pixels read neighbouring codes
// (kernels/conv/conv2d.cpp).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// Pixels are packed 32 at a time; what stands behind the last one is packed too.
constexpr std::int64_t kPatchPixels = 32;
constexpr std::int64_t padded_pixels(std::int64_t n) {
  return (n + kPatchPixels - 1) / kPatchPixels * kPatchPixels;
}

/// One product of the sum: an input channel and a place in the kernel.
struct PatchTap {
  std::int64_t x;       // where pixel 0 reads, an index into PackPatchesArgs::x; may be negative
  std::int64_t inside;  // the tap's line, an index into PackPatchesArgs::inside; not read when that is null
};

struct PackPatchesArgs {
  const std::int8_t* x;            // pixel p of tap t reads x[t.x + p]; padded_pixels(n) codes are read
  std::span<const PatchTap> taps;  // the depth of b, in order
  /// Line t.inside + p: 0xFF where pixel p reads the code, 0 where it lies outside of the image and takes
  /// `border`. padded_pixels(n) bytes are read. Null: every pixel reads its code.
  const std::uint8_t* inside;
  std::int8_t border;
  /// [padded_pixels(n) / 16][block_bytes / 64][16][4]: quads of taps side by side for 16 pixels. The last
  /// quad is filled up with 0; quads behind it are not written.
  std::int8_t* packed;
  std::int64_t block_bytes;  // between blocks of 16 pixels: at least 64 for each 4 taps
};

/// Packs pixels [0, n), and from n on to padded_pixels(n) whatever stands there. Does not allocate or throw.
extern const Kernel<void(const PackPatchesArgs& args, std::int64_t n)> pack_patches;

}  // namespace samebits::kernels
