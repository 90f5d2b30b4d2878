#include "quant/quantized_tensor.h"

namespace samebits::quant {

std::int64_t QuantizedTensor::row_length() const {
  std::int64_t length = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) length *= shape[i];
  return length;
}

}  // namespace samebits::quant
