// The contract of kernels/formats/codebook.h as plain loops.
#include "kernels/formats/reference/codebook.h"

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {

namespace {

template <class Stored>
bool run_as(const CodebookArgs& args, const Codebook& codebook, float scale, std::int64_t begin,
            std::int64_t end) {
  const auto* x = static_cast<const Stored*>(args.x);
  auto* y = static_cast<Stored*>(args.y);
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float v = to_float(x[i]) / scale;
    const std::int32_t code = codebook_code(v, codebook);
    if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, is_outside(v, codebook));
    if (args.codes != nullptr) args.codes[i] = static_cast<std::uint8_t>(code);
    if (y != nullptr) y[i] = round_to<Stored>(codebook_value(code, codebook, scale));
    saw_nan = saw_nan || isnan(v);
  }
  return saw_nan;
}

}  // namespace

bool fake_quantize_codebook_run(const CodebookArgs& args, const Codebook& codebook, float scale,
                                std::int64_t begin, std::int64_t end) {
  return with_float_type(
      args.type, [&](auto stored) { return run_as<decltype(stored)>(args, codebook, scale, begin, end); });
}

bool fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                            std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= fake_quantize_codebook_run(args, codebook, table.scale[index], first, last);
  });
  return saw_nan;
}

}  // namespace samebits::kernels::reference
