// torch operators over kernels/observe/histogram.h: schema, checks, CPU, Meta.
#include "csrc/observe/histogram.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/observe/min_max.h"
#include "kernels/observe/histogram.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("observe_histogram(Tensor x, Tensor(a!) counts, Tensor(b!) range) -> Tensor saw_nan");
  library.def("percentile_range(Tensor counts, Tensor range, float p) -> (Tensor min, Tensor max)");
  library.def(
      "least_error_range(Tensor counts, Tensor range, int qmin, int qmax, bool symmetric)"
      " -> (Tensor min, Tensor max, Tensor mean_squared_error)");
}

Tensor observe_histogram(const Tensor& x, const Tensor& counts, const Tensor& range) {
  static const auto op = find_op<decltype(observe_histogram)>("samebits::observe_histogram");
  return op.call(x, counts, range);
}

std::tuple<Tensor, Tensor> percentile_range(const Tensor& counts, const Tensor& range, double p) {
  static const auto op = find_op<decltype(percentile_range)>("samebits::percentile_range");
  return op.call(counts, range, p);
}

std::tuple<Tensor, Tensor, Tensor> least_error_range(const Tensor& counts, const Tensor& range, int64_t qmin,
                                                     int64_t qmax, bool symmetric) {
  static const auto op = find_op<decltype(least_error_range)>("samebits::least_error_range");
  return op.call(counts, range, qmin, qmax, symmetric);
}

namespace {

void check_histogram(const char* op, const Tensor& counts, const Tensor& range) {
  check_dtype(op, "counts", counts, at::kLong);
  TORCH_CHECK(counts.numel() == kernels::kHistogramBins, "[", op, "] counts: expected ",
              kernels::kHistogramBins, " bins, got ", counts.numel());
  check_dtype(op, "range", range, at::kFloat);
  TORCH_CHECK(range.numel() == 2, "[", op, "] range: expected 2 values, low and high, got ", range.numel());
}

kernels::Histogram histogram_of(const Tensor& counts_any, const Tensor& range_any) {
  const Tensor counts = counts_any.contiguous(), range = range_any.contiguous();
  kernels::Histogram histogram;
  histogram.range = {range.const_data_ptr<float>()[0], range.const_data_ptr<float>()[1]};
  if (histogram.range.is_empty()) return {};
  std::copy_n(counts.const_data_ptr<int64_t>(), kernels::kHistogramBins, histogram.counts.begin());
  return histogram;
}

Tensor number(const Tensor& like, at::ScalarType type) {
  return at::empty({}, like.options().dtype(type));
}

Tensor observe_meta(const Tensor& x, const Tensor& counts, const Tensor& range) {
  check_observe_histogram(x, counts, range);
  return number(x, at::kBool);
}

/// Threads count into histograms of their own; the order of merging does not matter.
void count_all(const Tensor& x, kernels::Histogram& histogram) {
  const kernels::FloatType type = float_type("observe_histogram", "x", x);
  const kernels::HistogramRange range = histogram.range;
  std::mutex merging;
  at::parallel_for(0, x.numel(), at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) {
    kernels::Histogram part{.range = range, .counts = {}};
    kernels::count(x.const_data_ptr(), begin, end, part, type);
    const std::lock_guard lock(merging);
    histogram = kernels::merge(histogram, part);
  });
}

Tensor observe_cpu(const Tensor& x_any, const Tensor& counts, const Tensor& range) {
  const Tensor out = observe_meta(x_any, counts, range);
  const Tensor x = x_any.contiguous();
  const auto [min, max, saw_nan] = min_max(x);
  const float low = min.item<float>(), high = max.item<float>();
  kernels::Histogram histogram = widened_histogram(counts, range, low, high);
  if (!histogram.range.is_empty()) count_all(x, histogram);
  std::copy(histogram.counts.begin(), histogram.counts.end(), counts.mutable_data_ptr<int64_t>());
  range.mutable_data_ptr<float>()[0] = histogram.range.low;
  range.mutable_data_ptr<float>()[1] = histogram.range.high;
  for (const Tensor& each : {counts, range}) each.unsafeGetTensorImpl()->bump_version();
  out.copy_(saw_nan);
  return out;
}

std::tuple<Tensor, Tensor> percentile_meta(const Tensor& counts, const Tensor& range, double p) {
  check_histogram("percentile_range", counts, range);
  TORCH_CHECK(0.5 <= p && p <= 1.0, "[percentile_range] p: expected a value in 0.5..1, got ", p);
  return {number(range, at::kFloat), number(range, at::kFloat)};
}

std::tuple<Tensor, Tensor> percentile_cpu(const Tensor& counts, const Tensor& range, double p) {
  auto [min, max] = percentile_meta(counts, range, p);
  const kernels::HistogramRange found = kernels::percentile_range(histogram_of(counts, range), p);
  min.fill_(found.low);
  max.fill_(found.high);
  return {min, max};
}

std::tuple<Tensor, Tensor, Tensor> least_error_meta(const Tensor& counts, const Tensor& range, int64_t qmin,
                                                    int64_t qmax, bool symmetric) {
  check_histogram("least_error_range", counts, range);
  check_code_range("least_error_range", "qmin, qmax", qmin, qmax);
  TORCH_CHECK(!symmetric || (qmin < 0 && qmax > 0),
              "[least_error_range] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got ", qmin,
              " and ", qmax);
  return {number(range, at::kFloat), number(range, at::kFloat), number(range, at::kDouble)};
}

std::tuple<Tensor, Tensor, Tensor> least_error_cpu(const Tensor& counts, const Tensor& range, int64_t qmin,
                                                   int64_t qmax, bool symmetric) {
  auto [min, max, error] = least_error_meta(counts, range, qmin, qmax, symmetric);
  const kernels::ClippingRange found = kernels::least_error_range(
      histogram_of(counts, range), static_cast<int32_t>(qmin), static_cast<int32_t>(qmax), symmetric);
  min.fill_(found.low);
  max.fill_(found.high);
  error.fill_(found.mean_squared_error);
  return {min, max, error};
}

}  // namespace

void check_observe_histogram(const Tensor& x, const Tensor& counts, const Tensor& range) {
  float_type("observe_histogram", "x", x);
  check_histogram("observe_histogram", counts, range);
  TORCH_CHECK(counts.is_contiguous() && range.is_contiguous(),
              "[observe_histogram] counts, range: expected contiguous tensors; they are written in place");
}

kernels::Histogram widened_histogram(const Tensor& counts, const Tensor& range, float low, float high) {
  TORCH_CHECK(low > high || (std::isfinite(low) && std::isfinite(high)),
              "[observe_histogram] x: expected finite values, got ", low, " to ", high,
              "; look at the batch and the learning rate");
  return kernels::widened(histogram_of(counts, range), {low, high});
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("observe_histogram", observe_cpu);
  library.impl("percentile_range", percentile_cpu);
  library.impl("least_error_range", least_error_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("observe_histogram", observe_meta);
  library.impl("percentile_range", percentile_meta);
  library.impl("least_error_range", least_error_meta);
}

}  // namespace samebits::ops
