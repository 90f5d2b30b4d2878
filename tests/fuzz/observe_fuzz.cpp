// Fuzzes what looks at tensors: observation, histograms, the gradients of learned scales, and the epilogues
// of layers.
#include "kernels/observe/observe.h"

#include "kernels/matmul/epilogue.h"
#include "kernels/observe/histogram.h"
#include "kernels/quantize/lsq.h"
#include "tests/fuzz/tensors.h"

namespace samebits::fuzz {
namespace {

void fuzz_observe(Source& source, const Grids& grids, const Tensor& x) {
  const std::int64_t begin = source.between(0, grids.elements);
  const std::int64_t end = source.between(begin, std::min(grids.elements, begin + kernels::kSumChunk));
  const auto& kernel = kernels::observe_chunk;
  const kernels::Observation expected = kernel.reference().run(x.data(), begin, end, x.type);
  for (const auto& entry : usable(kernel)) {
    const kernels::Observation got = entry.run(x.data(), begin, end, x.type);
    const std::string what = std::string("observe_chunk ") + entry.name;
    expect(same_bits(got.range.min, expected.range.min) && same_bits(got.range.max, expected.range.max) &&
               got.range.saw_nan == expected.range.saw_nan,
           what + ": range");
    expect(same_real(got.sum, expected.sum), what + ": sum");
    expect(same_real(got.sum_of_squares, expected.sum_of_squares), what + ": sum_of_squares");
  }
}

void fuzz_histogram(Source& source, const Grids& grids, const Tensor& x) {
  const kernels::Observation seen =
      kernels::observe_chunk(x.data(), 0, std::min(grids.elements, kernels::kSumChunk), x.type);
  float low = seen.range.min, high = seen.range.max;
  if (!std::isfinite(low) || source.flag()) low = -static_cast<float>(source.drawn(0, 1000)) * grids.scale[0];
  if (!std::isfinite(high) || source.flag())
    high = static_cast<float>(source.drawn(0, 1000)) * grids.scale[0];
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) return;
  const std::int64_t begin = source.between(0, grids.elements), end = source.between(begin, grids.elements);
  kernels::Histogram empty;
  empty.range = kernels::histogram_range(low, high);
  expect(!empty.range.is_empty(), "histogram_range: empty");
  const auto& kernel = kernels::count;
  kernels::Histogram expected = empty;
  kernel.reference().run(x.data(), begin, end, expected, x.type);
  expect(expected.total() + expected.nans == end - begin, "histogram: elements lost");
  for (const auto& entry : usable(kernel)) {
    kernels::Histogram got = empty;
    for (const Piece& piece : pieces(source, begin, end, 1))
      entry.run(x.data(), piece.begin, piece.end, got, x.type);
    expect(got.counts == expected.counts && got.nans == expected.nans,
           std::string("histogram ") + entry.name);
  }
  const kernels::Histogram other = rebin(expected, kernels::histogram_range(low * 0.75f, high * 0.5f));
  expect(other.total() == expected.total(), "rebin: counts lost");
}

void expect_sums(const std::string& what, const Block<kernels::LsqSums>& got,
                 const Block<kernels::LsqSums>& expected) {
  for (std::int64_t i = 0; i < expected.size(); ++i)
    expect(same_real(got[i].slopes, expected[i].slopes) && same_real(got[i].clipped, expected[i].clipped),
           what + ": sums of " + std::to_string(i));
}

void fuzz_lsq_run(Source& source, const Grids& grids, const Tensor& x, const Tensor& grad_y,
                  const Tensor& empty) {
  const std::int64_t begin = source.between(0, grids.elements);
  const std::int64_t end = source.between(begin, std::min(grids.elements, begin + kernels::kSumChunk));
  const auto& kernel = kernels::lsq_backward_run;
  const auto call = [&](auto run, Tensor& grad_x, kernels::LsqSums& sums) {
    return run({x.data(), grad_y.data(), grad_x.data(), x.type}, grids.table.grid(0), begin, end, sums);
  };
  Tensor expected(empty);
  Block<kernels::LsqSums> expected_sums(1);
  expected_sums[0] = {};
  const bool saw_nan = call(kernel.reference().run, expected, expected_sums[0]);
  for (const auto& entry : usable(kernel)) {
    const std::string what = std::string("lsq_backward_run ") + entry.name;
    Tensor got(empty);
    Block<kernels::LsqSums> sums(1);
    sums[0] = {};
    expect(call(entry.run, got, sums[0]) == saw_nan, what + ": saw_nan");
    expect_same(what + ": grad_x", got, expected);
    expect_sums(what, sums, expected_sums);
  }
}

void fuzz_lsq_columns(Source& source, const Grids& grids, const Tensor& x, const Tensor& grad_y,
                      const Tensor& empty) {
  const std::int64_t columns = source.between(1, std::min(grids.table.grids(), grids.elements));
  const std::int64_t stride = source.between(columns, std::max(columns, grids.elements / 2));
  const std::int64_t begin = source.between(0, grids.elements - columns);
  const std::int64_t most = (grids.elements - columns - begin) / stride + 1;
  const kernels::LsqColumns args{grids.table.scale,
                                 grids.table.zero_point,
                                 grids.table.qmin,
                                 grids.table.qmax,
                                 columns,
                                 source.between(1, most),
                                 begin,
                                 stride};
  const auto& kernel = kernels::lsq_backward_columns;
  const auto call = [&](auto run, Tensor& grad_x, Block<kernels::LsqSums>& sums) {
    return run({x.data(), grad_y.data(), grad_x.data(), x.type}, args, sums.data());
  };
  Tensor expected(empty);
  Block<kernels::LsqSums> expected_sums(columns);
  const bool saw_nan = call(kernel.reference().run, expected, expected_sums);
  for (const auto& entry : usable(kernel)) {
    const std::string what = std::string("lsq_backward_columns ") + entry.name;
    Tensor got(empty);
    Block<kernels::LsqSums> sums(columns);
    expect(call(entry.run, got, sums) == saw_nan, what + ": saw_nan");
    expect_same(what + ": grad_x", got, expected);
    expect_sums(what, sums, expected_sums);
  }
}

/// Slots in pieces and at once.
void fuzz_lsq_slots(Source& source, const Grids& grids, const Tensor& x, const Tensor& grad_y,
                    const Tensor& empty) {
  const kernels::LsqLayout layout(grids.table, grids.elements);
  const Block<kernels::LsqSums> no_sums(layout.slots());
  Tensor expected(empty), got(empty);
  Block<kernels::LsqSums> expected_sums(no_sums), sums(no_sums);
  const bool saw_nan = kernels::lsq_backward({x.data(), grad_y.data(), expected.data(), x.type}, grids.table,
                                             grids.elements, expected_sums.data(), 0, layout.slots());
  bool any_nan = false;
  for (const Piece& piece : pieces(source, 0, layout.slots(), 1))
    any_nan |= kernels::lsq_backward({x.data(), grad_y.data(), got.data(), x.type}, grids.table,
                                     grids.elements, sums.data(), piece.begin, piece.end);
  expect(saw_nan == any_nan, "lsq_backward: saw_nan");
  expect_same("lsq_backward: grad_x", got, expected);
  expect_sums("lsq_backward", sums, expected_sums);
}

void fuzz_epilogue(Source& source) {
  const std::int64_t n = source.size(1, 70, 600);
  Block<std::int32_t> accumulators(n, source.between(0, 3));
  for (std::int64_t i = 0; i < n; ++i) accumulators[i] = source.drawn(-(1 << 29), 1 << 29);
  const std::int32_t correction = source.drawn(-(1 << 29), 1 << 29);
  const Block<float> scale = plain_floats(source, 1, 1.0f), bias = plain_floats(source, 1, 100.0f);
  const kernels::ChannelTerms terms{&correction, scale.data(), source.flag() ? bias.data() : nullptr};
  const Block<float> empty(n, source.between(0, 3));
  Block<float> expected(empty);
  kernels::epilogue_channel.reference().run(accumulators.data(), terms, expected.data(), n);
  for (const auto& entry : usable(kernels::epilogue_channel)) {
    Block<float> got(empty);
    entry.run(accumulators.data(), terms, got.data(), n);
    expect_same(std::string("epilogue_channel ") + entry.name, got, expected);
  }
}

void fuzz(Source& source) {
  const std::int64_t kernel = source.between(0, 5);
  if (kernel == 5) return fuzz_epilogue(source);
  const Grids grids(source);
  const Tensor x = hard_tensor(source, any_type(source), grids);
  if (kernel == 0) return fuzz_observe(source, grids, x);
  if (kernel == 1) return fuzz_histogram(source, grids, x);
  const Tensor grad_y = hard_tensor(source, x.type, grids);
  const Tensor empty(x.type, grids.elements, source.between(0, 3));
  if (kernel == 2) fuzz_lsq_run(source, grids, x, grad_y, empty);
  if (kernel == 3) fuzz_lsq_columns(source, grids, x, grad_y, empty);
  if (kernel == 4) fuzz_lsq_slots(source, grids, x, grad_y, empty);
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  samebits::fuzz::fuzz(source);
  return 0;
}
