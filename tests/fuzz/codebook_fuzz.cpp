// Fuzzes the grids that are not uniform: codebooks, small floats, and microscaling blocks.
#include "kernels/formats/codebook.h"
#include "kernels/formats/fake_quantize_small_float.h"
#include "kernels/formats/mx.h"
#include "tests/fuzz/tensors.h"

namespace samebits::fuzz {
namespace {

using kernels::FloatType;

/// What one call wrote; null pointers are outputs that are not wanted.
struct Outputs {
  Tensor y;
  Block<std::uint8_t> codes, scales, clip_mask;
  bool wants_y, wants_codes, wants_scales, wants_mask, saw_nan = false;

  Outputs(Source& source, FloatType type, std::int64_t n, std::int64_t blocks)
      : y(type, n, source.between(0, 5)),
        codes(n, source.between(0, 9)),
        scales(blocks),
        clip_mask((n + 7) / 8),
        wants_y(source.flag()),
        wants_codes(source.flag()),
        wants_scales(source.flag()),
        wants_mask(source.flag()) {}
  void* y_data() { return wants_y ? y.data() : nullptr; }
  std::uint8_t* codes_data() { return wants_codes ? codes.data() : nullptr; }
  std::uint8_t* scales_data() { return wants_scales ? scales.data() : nullptr; }
  std::uint8_t* mask_data() { return wants_mask ? clip_mask.data() : nullptr; }
};
void expect_outputs(const std::string& what, const Outputs& got, const Outputs& expected) {
  expect_same(what + ": y", got.y, expected.y);
  expect_same(what + ": codes", got.codes, expected.codes);
  expect_same(what + ": scales", got.scales, expected.scales);
  expect_same(what + ": clip_mask", got.clip_mask, expected.clip_mask);
  expect(got.saw_nan == expected.saw_nan, what + ": saw_nan");
}

template <class Kernel, class Call>
void compare(const Kernel& kernel, const Outputs& empty, const Split& split, Call call) {
  Outputs expected(empty);
  expected.saw_nan = call(kernel.reference().run, expected, split.begin, split.end);
  for (const auto& entry : usable(kernel)) {
    Outputs got(empty);
    for (const Piece& piece : split.parts) got.saw_nan |= call(entry.run, got, piece.begin, piece.end);
    expect_outputs(std::string(kernel.name()) + " " + entry.name, got, expected);
  }
}

/// One that is published, or any that make_codebook takes.
kernels::Codebook any_codebook(Source& source) {
  const int bits = static_cast<int>(source.between(2, 4));
  switch (source.between(0, 4)) {
    case 0:
      return kernels::powers_of_two(bits);
    case 1:
      return kernels::additive_powers_of_two(bits, true);
    case 2:
      return kernels::additive_powers_of_two(bits, false);
    case 3:
      return kernels::normal_float4();
    default:
      break;
  }
  std::vector<float> values;
  float value = static_cast<float>(source.drawn(-1000, 0)) * 0.01f + 0.005f;
  for (std::int64_t size = source.between(2, 16); size > 0; --size) {
    values.push_back(value);
    value += static_cast<float>(source.drawn(1, 1000)) * 0.001f;
  }
  return kernels::make_codebook(values);
}

void fuzz_codebook(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const kernels::Codebook codebook = any_codebook(source);
  compare(kernels::fake_quantize_codebook, empty, any_split(source, grids.elements, 8),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            return run({x.data(), to.y_data(), to.codes_data(), to.mask_data(), x.type}, codebook,
                       grids.table, begin, end);
          });
}

constexpr kernels::SmallFloat kFormats[] = {kernels::kFloat8E4M3, kernels::kFloat8E5M2, kernels::kFloat6E2M3,
                                            kernels::kFloat6E3M2, kernels::kFloat4E2M1};

void fuzz_float(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const kernels::SmallFloat format = source.choice(kFormats);
  const bool to_special = format.nan_code != 0 && source.flag();
  const auto overflow = to_special ? kernels::Overflow::kToSpecial : kernels::Overflow::kSaturate;
  compare(kernels::fake_quantize_small_float, empty, any_split(source, grids.elements, 8),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            return run({x.data(), to.y_data(), to.codes_data(), to.mask_data(), x.type}, format, overflow,
                       grids.table, begin, end);
          });
}

void fuzz_decode(Source& source, const Grids& grids, const Outputs& empty) {
  if (!empty.y.is_float()) return;
  const kernels::SmallFloat format = source.choice(kFormats);
  Block<std::uint8_t> from(grids.elements, source.between(0, 9));
  for (std::int64_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::uint8_t>(source.word());
  compare(kernels::decode_small_float_run, empty, any_split(source, grids.elements, 1),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            run(from.data(), to.y.floats.data(), format, grids.table.scale[0], begin, end);
            return false;
          });
}

constexpr kernels::MxFormat kMxFormats[] = {kernels::kMxFloat8E4M3, kernels::kMxFloat8E5M2,
                                            kernels::kMxFloat6E2M3, kernels::kMxFloat6E3M2,
                                            kernels::kMxFloat4E2M1, kernels::kMxInt8};

/// Decoding what was written must give the y that was written with it.
void expect_decodes(const Outputs& outputs, const kernels::MxFormat& format, const kernels::MxRows& rows,
                    const Split& split) {
  if (!outputs.wants_y || !outputs.wants_codes || !outputs.wants_scales || !outputs.y.is_float()) return;
  Block<float> y(outputs.y.floats);
  kernels::decode_mx_blocks(outputs.codes.data(), outputs.scales.data(), y.data(), format, rows, split.begin,
                            split.end);
  expect_same("decode_mx_blocks", y, outputs.y.floats);
}

void fuzz_mx(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const kernels::MxFormat format = source.choice(kMxFormats);
  const kernels::MxRows rows{grids.table.row_length};
  const std::int64_t blocks = grids.elements / rows.row_length * rows.blocks_per_row();
  const Split split = any_split(source, blocks, empty.wants_mask ? rows.block_step() : 1);
  const auto& kernel = kernels::fake_quantize_mx;
  const auto call = [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
    return run({x.data(), to.y_data(), to.codes_data(), to.scales_data(), to.mask_data(), x.type}, format,
               rows, begin, end);
  };
  compare(kernel, empty, split, call);
  Outputs outputs(empty);
  (void)call(kernel.implementations().front().why_not().empty() ? kernel.implementations().front().run
                                                                : kernel.reference().run,
             outputs, split.begin, split.end);
  expect_decodes(outputs, format, rows, split);
}

void fuzz(Source& source) {
  const std::int64_t kernel = source.between(0, 3);
  const Grids grids(source);
  const kernels::MxRows rows{grids.table.row_length};
  const Tensor x = hard_tensor(source, any_type(source), grids);
  const Outputs empty(source, x.type, grids.elements,
                      grids.elements / rows.row_length * rows.blocks_per_row());
  if (kernel == 0) fuzz_codebook(source, grids, x, empty);
  if (kernel == 1) fuzz_float(source, grids, x, empty);
  if (kernel == 2) fuzz_decode(source, grids, empty);
  if (kernel == 3) fuzz_mx(source, grids, x, empty);
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  samebits::fuzz::fuzz(source);
  return 0;
}
