// The contract of kernels/fake_quantize_float.h as plain loops.
#include "kernels/reference/fake_quantize_float.h"

#include <math.h>

#include "kernels/reference/clip_mask.h"

namespace samebits::kernels::reference {
namespace {

float real_of(std::uint8_t code, const FloatFormat& format, float scale) {
  const float value = decode_float(code, format);
  return isnan(value) ? value : value * scale;  // a product may change a NaN's bits
}

}  // namespace

bool fake_quantize_float_run(const FloatArgs& args, const FloatFormat& format, Overflow overflow, float scale,
                             std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float v = args.x[i] / scale;
    const std::uint8_t code = encode_float(v, format, overflow);
    if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, is_overflow(v, format));
    if (args.codes != nullptr) args.codes[i] = code;
    if (args.y != nullptr) args.y[i] = real_of(code, format, scale);
    saw_nan = saw_nan || isnan(v) || isnan(decode_float(code, format));
  }
  return saw_nan;
}

bool fake_quantize_float(const FloatArgs& args, const FloatFormat& format, Overflow overflow,
                         const GridTable& table, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= fake_quantize_float_run(args, format, overflow, table.scale[index], first, last);
  });
  return saw_nan;
}

void decode_float_run(const std::uint8_t* codes, float* y, const FloatFormat& format, float scale,
                      std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) y[i] = real_of(codes[i], format, scale);
}

}  // namespace samebits::kernels::reference
