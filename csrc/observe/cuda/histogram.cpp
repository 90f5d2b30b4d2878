// samebits::observe_histogram, percentile_range and least_error_range on CUDA. Elements are counted on the
// device; the range of the bins and what is taken from them are the CPU's, so that, unlike other operators,
// these wait for the device.
#include "csrc/observe/histogram.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/observe/observe.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/observe/cuda/histogram.h"

namespace samebits::ops {
namespace {

using at::Tensor;

/// Puts a histogram into tensors of the device.
void store(const kernels::Histogram& histogram, const Tensor& counts, const Tensor& range) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const Tensor host_counts = at::empty({kernels::kHistogramBins}, at::kLong);
  std::copy(histogram.counts.begin(), histogram.counts.end(), host_counts.mutable_data_ptr<int64_t>());
  const Tensor host_range = at::empty({2}, at::kFloat);
  host_range.mutable_data_ptr<float>()[0] = histogram.range.low;
  host_range.mutable_data_ptr<float>()[1] = histogram.range.high;
  counts.copy_(host_counts.view(counts.sizes()));
  range.copy_(host_range.view(range.sizes()));
  for (const Tensor& each : {counts, range}) each.unsafeGetTensorImpl()->bump_version();
}

Tensor observe_histogram_cuda(const Tensor& x_any, const Tensor& counts, const Tensor& range) {
  constexpr char kOp[] = "observe_histogram";
  check_observe_histogram(x_any, counts, range);
  check_device(kOp, "", "counts", counts, x_any);
  check_device(kOp, "", "range", range, x_any);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous();
  const Observed observed = observe(x);
  const kernels::Histogram histogram =
      widened_histogram(counts.cpu(), range.cpu(), observed.min.item<float>(), observed.max.item<float>());
  store(histogram, counts, range);
  if (histogram.range.is_empty()) return observed.saw_nan;
  static_assert(sizeof(unsigned long long) == sizeof(int64_t));
  const Tensor nans = at::zeros({}, counts.options());
  const auto counters = [](const Tensor& tensor) {
    return static_cast<unsigned long long*>(tensor.mutable_data_ptr());
  };
  check_launch(kOp,
               kernels::cuda::launch_count(x.const_data_ptr(), float_type(kOp, "x", x), histogram.range,
                                           x.numel(), counters(counts), counters(nans), current_stream()));
  return observed.saw_nan;
}

std::tuple<Tensor, Tensor> percentile_range_cuda(const Tensor& counts, const Tensor& range, double p) {
  const auto [min, max] = percentile_range(counts.cpu(), range.cpu(), p);
  return {min.to(range.device()), max.to(range.device())};
}

std::tuple<Tensor, Tensor, Tensor> least_error_range_cuda(const Tensor& counts, const Tensor& range,
                                                          int64_t qmin, int64_t qmax, bool symmetric) {
  const auto [min, max, error] = least_error_range(counts.cpu(), range.cpu(), qmin, qmax, symmetric);
  return {min.to(range.device()), max.to(range.device()), error.to(range.device())};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("observe_histogram", observe_histogram_cuda);
  library.impl("percentile_range", percentile_range_cuda);
  library.impl("least_error_range", least_error_range_cuda);
}

}  // namespace samebits::ops
