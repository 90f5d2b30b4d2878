// Fuzzes the affine family: quantize, fake_quantize and its gradient, dequantize, stochastic rounding, relu,
// and what observes while it quantizes. Every float type, granularity and split, in place too.
#include "kernels/float/relu.h"
#include "kernels/observe/min_max.h"
#include "kernels/observe/observe_quantize.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/quantize.h"
#include "kernels/quantize/stochastic.h"
#include "tests/fuzz/tensors.h"

namespace samebits::fuzz {
namespace {

using kernels::FloatType;

std::int64_t mask_bytes(std::int64_t n) {
  return (n + 7) / 8;
}

/// What one call wrote.
struct Outputs {
  Tensor y;
  Block<std::int8_t> codes;
  Block<std::uint8_t> clip_mask;
  bool saw_nan = false;

  Outputs(Source& source, FloatType type, std::int64_t n)
      : y(type, n, source.between(0, 5)), codes(n, source.between(0, 9)), clip_mask(mask_bytes(n)) {}
};
void expect_outputs(const std::string& what, const Outputs& got, const Outputs& expected) {
  expect_same(what + ": y", got.y, expected.y);
  expect_same(what + ": codes", got.codes, expected.codes);
  expect_same(what + ": clip_mask", got.clip_mask, expected.clip_mask);
  expect(got.saw_nan == expected.saw_nan, what + ": saw_nan");
}

/// Compares all implementations of a list: `call(run, outputs, begin, end)` makes one call.
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

/// As compare(), for calls that return a range; a part's relu keeps its own.
template <class Kernel, class Call>
void compare_observing(const Kernel& kernel, const Outputs& empty, const Split& split, Call call) {
  Outputs expected(empty);
  const kernels::MinMax range = call(kernel.reference().run, expected, split.begin, split.end);
  for (const auto& entry : usable(kernel)) {
    Outputs got(empty);
    kernels::MinMax merged;
    for (const Piece& piece : split.parts)
      merged = merge(merged, call(entry.run, got, piece.begin, piece.end));
    expect_outputs(std::string(kernel.name()) + " " + entry.name, got, expected);
    expect(same_bits(merged.min, range.min) && same_bits(merged.max, range.max) &&
               merged.saw_nan == range.saw_nan,
           std::string(kernel.name()) + " " + entry.name + ": range");
  }
}

void fuzz_quantize(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const bool has_mask = source.flag(), fold_relu = source.flag();
  compare(kernels::quantize, empty, any_split(source, grids.elements, 1),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            return run(
                {x.data(), to.codes.data(), has_mask ? to.clip_mask.data() : nullptr, x.type, fold_relu},
                grids.table, begin, end);
          });
}

void fuzz_fake_quantize(Source& source, const Grids& grids, const Tensor& x, Outputs& empty) {
  const bool in_place = source.flag();
  if (in_place)
    for (std::int64_t i = 0; i < grids.elements; ++i) {
      if (x.is_float()) empty.y.floats[i] = x.floats[i];
      if (!x.is_float()) empty.y.halves[i] = x.halves[i];
    }
  compare(kernels::fake_quantize, empty, any_split(source, grids.elements, 1),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            const void* from = in_place ? to.y.data() : x.data();
            return run({from, to.y.data(), to.clip_mask.data(), x.type}, grids.table, begin, end);
          });
}

void fuzz_backward(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  Block<std::uint8_t> clip_mask(mask_bytes(grids.elements));
  for (std::int64_t i = 0; i < clip_mask.size(); ++i) clip_mask[i] = static_cast<std::uint8_t>(source.word());
  compare(kernels::fake_quantize_backward, empty, any_split(source, grids.elements, 1),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            run(x.data(), clip_mask.data(), to.y.data(), begin, end, x.type);
            return false;
          });
}

void fuzz_dequantize(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const Block<std::int8_t> from = codes(source, grids.elements, grids.table.qmin, grids.table.qmax);
  compare(kernels::dequantize_codes, empty, any_split(source, grids.elements, 1),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            run(from.data(), to.y.data(), grids.table, begin, end, x.type);
            return false;
          });
}

void fuzz_stochastic(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const bool has_mask = source.flag();
  const std::uint64_t seed = source.word(), stream = std::uint64_t{source.word()} << 20;
  compare(kernels::quantize_stochastic, empty, any_split(source, grids.elements, 1),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            std::uint8_t* clip_mask = has_mask ? to.clip_mask.data() : nullptr;
            return run({x.data(), to.codes.data(), clip_mask, x.type, seed, stream}, grids.table, begin, end);
          });
}

void fuzz_relu(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  compare(kernels::relu, empty, any_split(source, grids.elements, 8),
          [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
            run({x.data(), to.y.data(), to.clip_mask.data(), x.type}, begin, end);
            return false;
          });
}

void fuzz_observing(Source& source, const Grids& grids, const Tensor& x, const Outputs& empty) {
  const kernels::AffineGrid grid = grids.table.grid(0);
  const bool has_mask = source.flag(), fold_relu = source.flag();
  compare_observing(kernels::observe_quantize_run, empty, any_split(source, grids.elements, 1),
                    [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
                      std::uint8_t* clip_mask = has_mask ? to.clip_mask.data() : nullptr;
                      return run({x.data(), to.codes.data(), clip_mask, x.type, fold_relu}, grid, begin, end);
                    });
  compare_observing(kernels::observe_fake_quantize_run, empty, any_split(source, grids.elements, 1),
                    [&](auto run, Outputs& to, std::int64_t begin, std::int64_t end) {
                      return run({x.data(), to.y.data(), to.clip_mask.data(), x.type}, grid, begin, end);
                    });
  if (!x.is_float()) return;
  compare_observing(kernels::min_max, empty, any_split(source, grids.elements, 1),
                    [&](auto run, Outputs&, std::int64_t begin, std::int64_t end) {
                      return run(x.floats.data(), begin, end);
                    });
}

void fuzz(Source& source) {
  const std::int64_t kernel = source.between(0, 6);
  const Grids grids(source);
  const Tensor x = hard_tensor(source, any_type(source), grids);
  Outputs empty(source, x.type, grids.elements);
  if (kernel == 0) fuzz_quantize(source, grids, x, empty);
  if (kernel == 1) fuzz_fake_quantize(source, grids, x, empty);
  if (kernel == 2) fuzz_backward(source, grids, x, empty);
  if (kernel == 3) fuzz_dequantize(source, grids, x, empty);
  if (kernel == 4) fuzz_stochastic(source, grids, x, empty);
  if (kernel == 5) fuzz_relu(source, grids, x, empty);
  if (kernel == 6) fuzz_observing(source, grids, x, empty);
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  samebits::fuzz::fuzz(source);
  return 0;
}
