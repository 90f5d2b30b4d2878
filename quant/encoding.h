// How a tensor is encoded: which codes there are, and which elements share a scale. Plain data, torch-free. A
// scheme of the configuration becomes an Encoding once; everything that quantizes, packs, stores or exports
// reads that.
#pragma once

#include <cstdint>
#include <string>

namespace samebits::quant {

enum class Granularity { kPerTensor, kPerChannel, kPerGroup };

/// Integer codes on affine grids: real = (code - zero_point) * scale.
struct Encoding {
  int bits = 8;                          // 2..8: what a stored code takes
  std::int32_t qmin = -127, qmax = 127;  // within the bits
  bool symmetric = true;                 // zero points are 0, and not stored
  Granularity granularity = Granularity::kPerChannel;
  std::int64_t group_size = 0;  // kPerGroup: consecutive elements of a channel, a multiple of 4; else 0

  /// The largest |code - zero_point|: what one product may weigh.
  std::int32_t max_magnitude() const {
    if (!symmetric) return qmax - qmin;
    return -qmin > qmax ? -qmin : qmax;
  }
  friend bool operator==(const Encoding&, const Encoding&) = default;
};

/// Scales of a row: how many a channel of `row_length` elements has.
std::int64_t groups_per_row(const Encoding& encoding, std::int64_t row_length);

/// Scales of a whole tensor of `rows` channels.
std::int64_t scale_count(const Encoding& encoding, std::int64_t rows, std::int64_t row_length);

/// "int8 per channel", "int4 groups of 32", "int7 affine".
std::string to_text(const Encoding& encoding);

}  // namespace samebits::quant
