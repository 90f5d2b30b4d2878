// A tensor as it ships: codes, how they are encoded, scales and zero points. The one form in which a weight
// leaves training; kernels have packed forms of their own, made from this. Torch-free.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/encoding.h"

namespace samebits::quant {

struct QuantizedTensor {
  Encoding encoding;
  std::vector<std::int64_t> shape;       // [out, …]: a channel is an entry of the first dimension
  std::vector<std::int8_t> codes;        // row-major, in [qmin, qmax]
  std::vector<float> scale;              // 1, [out] or [out][groups]
  std::vector<std::int32_t> zero_point;  // as many as scale; empty when symmetric

  std::int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  /// Elements of a channel.
  std::int64_t row_length() const;
  friend bool operator==(const QuantizedTensor&, const QuantizedTensor&) = default;
};

}  // namespace samebits::quant
