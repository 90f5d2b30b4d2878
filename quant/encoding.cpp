#include "quant/encoding.h"

namespace samebits::quant {

std::int64_t groups_per_row(const Encoding& encoding, std::int64_t row_length) {
  if (encoding.granularity != Granularity::kPerGroup) return 1;
  return (row_length + encoding.group_size - 1) / encoding.group_size;
}

std::int64_t scale_count(const Encoding& encoding, std::int64_t rows, std::int64_t row_length) {
  return encoding.granularity == Granularity::kPerTensor ? 1 : rows * groups_per_row(encoding, row_length);
}

std::string to_text(const Encoding& encoding) {
  std::string text = "int" + std::to_string(encoding.bits) + (encoding.symmetric ? "" : " affine");
  if (encoding.granularity == Granularity::kPerChannel) text += " per channel";
  if (encoding.granularity == Granularity::kPerGroup)
    text += " groups of " + std::to_string(encoding.group_size);
  return text;
}

}  // namespace samebits::quant
