// The contract of kernels/formats/fake_quantize_small_float.h as plain loops.
#include "kernels/formats/reference/fake_quantize_small_float.h"

#include <math.h>

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {
namespace {

float real_of(std::uint8_t code, const SmallFloat& format, float scale) {
  const float value = decode_small_float(code, format);
  return isnan(value) ? value : value * scale;  // a product may change a NaN's bits
}

template <class Stored>
bool run_as(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow, float scale,
            std::int64_t begin, std::int64_t end) {
  const auto* x = static_cast<const Stored*>(args.x);
  auto* y = static_cast<Stored*>(args.y);
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float v = to_float(x[i]) / scale;
    const std::uint8_t code = encode_small_float(v, format, overflow);
    if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, is_overflow(v, format));
    if (args.codes != nullptr) args.codes[i] = code;
    if (y != nullptr) y[i] = round_to<Stored>(real_of(code, format, scale));
    saw_nan = saw_nan || isnan(v) || isnan(decode_small_float(code, format));
  }
  return saw_nan;
}

}  // namespace

bool fake_quantize_small_float_run(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow,
                                   float scale, std::int64_t begin, std::int64_t end) {
  return with_float_type(args.type, [&](auto stored) {
    return run_as<decltype(stored)>(args, format, overflow, scale, begin, end);
  });
}

bool fake_quantize_small_float(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow,
                               const GridTable& table, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= fake_quantize_small_float_run(args, format, overflow, table.scale[index], first, last);
  });
  return saw_nan;
}

void decode_small_float_run(const std::uint8_t* codes, float* y, const SmallFloat& format, float scale,
                            std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) y[i] = real_of(codes[i], format, scale);
}

}  // namespace samebits::kernels::reference
