// The contract of kernels/formats/mx.h as plain loops.
#include "kernels/formats/reference/mx.h"

#include <algorithm>

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {

namespace {

template <class Stored>
void elements_as(const MxArgs& args, const MxFormat& format, std::uint8_t scale_code, std::int64_t begin,
                 std::int64_t end) {
  const auto* x = static_cast<const Stored*>(args.x);
  auto* y = static_cast<Stored*>(args.y);
  for (std::int64_t i = begin; i < end; ++i) {
    const MxCode element =
        scale_code == kMxNaNScale ? MxCode{0, true} : encode_mx(to_float(x[i]), scale_code, format);
    if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, element.clipped);
    if (args.codes != nullptr) args.codes[i] = element.code;
    if (y != nullptr) y[i] = round_to<Stored>(decode_mx(element.code, scale_code, format));
  }
}

}  // namespace

std::uint32_t largest_magnitude_bits(const MxArgs& args, std::int64_t begin, std::int64_t end) {
  return with_float_type(args.type, [&](auto stored) {
    const auto* x = static_cast<const decltype(stored)*>(args.x);
    std::uint32_t largest = 0;
    for (std::int64_t i = begin; i < end; ++i)
      largest = std::max(largest, float_bits(to_float(x[i])) & 0x7FFFFFFFu);
    return largest;
  });
}

void mx_elements(const MxArgs& args, const MxFormat& format, std::uint8_t scale_code, std::int64_t begin,
                 std::int64_t end) {
  with_float_type(args.type,
                  [&](auto stored) { elements_as<decltype(stored)>(args, format, scale_code, begin, end); });
}

bool fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                      std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = rows.first_element(block), last = rows.last_element(block);
    const std::uint8_t scale_code = mx_scale_code(largest_magnitude_bits(args, first, last), format);
    if (args.scales != nullptr) args.scales[block] = scale_code;
    mx_elements(args, format, scale_code, first, last);
    saw_nan = saw_nan || scale_code == kMxNaNScale;
  }
  return saw_nan;
}

}  // namespace samebits::kernels::reference
