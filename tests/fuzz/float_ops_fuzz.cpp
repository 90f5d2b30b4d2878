// Fuzzes the exact float operators: functions of any float, rows of any length and place, norms with any
// parameters. Every implementation, in any split and in place, has the bits of the plain loops.
#include "kernels/float/function.h"
#include "kernels/float/normalize.h"
#include "kernels/float/reduce.h"
#include "kernels/float/softmax.h"
#include "tests/fuzz/fuzz_case.h"

namespace samebits::fuzz {
namespace {

Block<float> hard_floats(Source& source, std::int64_t n) {
  const float scale = any_scale(source);
  const bool is_plain = source.flag();
  Block<float> x = plain_floats(source, n, 10.0f);
  for (std::int64_t i = 0; i < n; ++i)
    if (!is_plain || source.drawn(0, 999) == 0) x[i] = hard_float(source, scale);
  return x;
}

/// Compares all implementations: call(run, y, begin, end) makes one call for items [begin, end) of `items`.
template <class Kernel, class Call>
void compare(Source& source, const Kernel& kernel, std::int64_t items, const Block<float>& empty, Call call) {
  Block<float> expected(empty);
  call(kernel.reference().run, expected, 0, items);
  for (const auto& entry : usable(kernel)) {
    Block<float> got(empty);
    for (const Piece& piece : pieces(source, 0, items, 1)) call(entry.run, got, piece.begin, piece.end);
    expect_same(std::string(kernel.name()) + " " + entry.name, got, expected);
  }
}

void fuzz_function(Source& source) {
  const auto function = static_cast<kernels::Function>(source.between(0, kernels::kFunctions - 1));
  const std::int64_t n = source.size(0, 70, 3000);
  const Block<float> x = hard_floats(source, n);
  std::array<float, 3> scales;
  for (float& scale : scales) scale = any_scale(source);
  const bool in_place = source.flag();
  const Block<float> empty = in_place ? Block<float>(x) : Block<float>(n, source.between(0, 5));
  compare(source, kernels::apply_function, n, empty,
          [&](auto run, Block<float>& y, std::int64_t begin, std::int64_t end) {
            run({function, in_place ? y.data() : x.data(), y.data(), scales}, begin, end);
          });
}

struct Rows {
  kernels::RowShape shape;
  std::int64_t outer;
  explicit Rows(Source& source)
      : shape{source.size(1, 140, 9000), source.flag() ? 1 : source.between(1, 40)},
        outer(source.between(1, 3)) {
    if (shape.n > 1000) shape.inner = std::min<std::int64_t>(shape.inner, 3);
  }
  std::int64_t count() const { return outer * shape.inner; }
  std::int64_t elements() const { return count() * shape.n; }
};

void fuzz_softmax(Source& source) {
  const Rows rows(source);
  const bool is_log = source.flag(), in_place = source.flag();
  const Block<float> x = hard_floats(source, rows.elements());
  const Block<float> empty = in_place ? Block<float>(x) : Block<float>(rows.elements(), source.between(0, 5));
  compare(source, kernels::softmax, rows.count(), empty,
          [&](auto run, Block<float>& y, std::int64_t begin, std::int64_t end) {
            run({in_place ? y.data() : x.data(), y.data(), rows.shape, is_log}, begin, end);
          });
}

void fuzz_reduce(Source& source) {
  const Rows rows(source);
  const bool is_mean = source.flag(), is_max = source.flag();
  const Block<float> x = hard_floats(source, rows.elements()), empty(rows.count(), source.between(0, 5));
  compare(source, is_max ? kernels::max_rows : kernels::sum_rows, rows.count(), empty,
          [&](auto run, Block<float>& y, std::int64_t begin, std::int64_t end) {
            run({x.data(), y.data(), rows.shape, is_mean}, begin, end);
          });
}

void fuzz_normalize(Source& source) {
  const std::int64_t run_length = source.flag() ? 1 : source.size(1, 40, 300),
                     channels = source.size(1, 40, 3000 / run_length), weight_rows = source.between(1, 3),
                     rows = source.between(1, 5), n = run_length * channels;
  const Block<float> x = hard_floats(source, rows * n),
                     weight = plain_floats(source, weight_rows * channels, 2.0f),
                     bias = plain_floats(source, weight_rows * channels, 2.0f),
                     empty(rows * n, source.between(0, 5));
  const bool is_rms = source.flag(), has_weight = source.flag(), has_bias = source.flag();
  compare(source, kernels::normalize_rows, rows, empty,
          [&](auto run, Block<float>& y, std::int64_t begin, std::int64_t end) {
            run({x.data(), y.data(), n, 1e-5f, is_rms, has_weight ? weight.data() : nullptr,
                 has_bias ? bias.data() : nullptr, run_length, weight_rows},
                begin, end);
          });
}

void fuzz_channels(Source& source) {
  const std::int64_t channels = source.size(1, 40, 500), inner = source.flag() ? 1 : source.size(1, 40, 500),
                     planes = channels * source.between(1, 3);
  const Block<float> x = hard_floats(source, planes * inner), scale = hard_floats(source, channels),
                     bias = hard_floats(source, channels), empty(planes * inner, source.between(0, 5));
  compare(source, kernels::scale_channels, planes, empty,
          [&](auto run, Block<float>& y, std::int64_t begin, std::int64_t end) {
            run({x.data(), y.data(), scale.data(), bias.data(), channels, inner}, begin, end);
          });
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits::fuzz;
  Source source(data, size);
  constexpr void (*kTargets[])(Source&) = {fuzz_function, fuzz_softmax, fuzz_reduce, fuzz_normalize,
                                           fuzz_channels};
  source.choice(kTargets)(source);
  return 0;
}
