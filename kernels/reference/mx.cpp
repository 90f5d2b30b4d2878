// The contract of kernels/mx.h as plain loops.
#include "kernels/reference/mx.h"

#include <algorithm>

#include "kernels/reference/clip_mask.h"

namespace samebits::kernels::reference {

std::uint32_t largest_magnitude_bits(const float* x, std::int64_t begin, std::int64_t end) {
  std::uint32_t largest = 0;
  for (std::int64_t i = begin; i < end; ++i) largest = std::max(largest, bits_of_float(x[i]) & 0x7FFFFFFFu);
  return largest;
}

void mx_elements(const MxArgs& args, const MxFormat& format, std::uint8_t scale_code, std::int64_t begin,
                 std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const MxCode element =
        scale_code == kMxNaNScale ? MxCode{0, true} : encode_mx(args.x[i], scale_code, format);
    if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, element.clipped);
    if (args.codes != nullptr) args.codes[i] = element.code;
    if (args.y != nullptr) args.y[i] = decode_mx(element.code, scale_code, format);
  }
}

bool fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                      std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = rows.first_element(block), last = rows.last_element(block);
    const std::uint8_t scale_code = mx_scale_code(largest_magnitude_bits(args.x, first, last), format);
    if (args.scales != nullptr) args.scales[block] = scale_code;
    mx_elements(args, format, scale_code, first, last);
    saw_nan = saw_nan || scale_code == kMxNaNScale;
  }
  return saw_nan;
}

}  // namespace samebits::kernels::reference
