#include "torch_ext/quantizer/histogram_observer.h"

#include <algorithm>

#include "csrc/observe/histogram.h"
#include "quant/ptq/kl_range.h"

namespace samebits {

HistogramObserverImpl::HistogramObserverImpl()
    : torch::nn::Module("HistogramObserver"),
      counts_(register_buffer("counts", torch::zeros({kernels::kHistogramBins}, torch::kLong))),
      range_(register_buffer("range", torch::zeros({2}))) {}

void HistogramObserverImpl::observe(const torch::Tensor& x) {
  const torch::NoGradGuard no_grad;
  ops::observe_histogram(x, counts_, range_);
}

kernels::Histogram HistogramObserverImpl::histogram() const {
  const torch::Tensor counts = counts_.cpu(), range = range_.cpu();
  kernels::Histogram histogram{.range = {range.const_data_ptr<float>()[0], range.const_data_ptr<float>()[1]}};
  std::copy_n(counts.const_data_ptr<std::int64_t>(), kernels::kHistogramBins, histogram.counts.begin());
  return histogram;
}

void HistogramObserverImpl::to(torch::Device device, torch::Dtype, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
}

void HistogramObserverImpl::to(torch::Dtype, bool) {}

kernels::HistogramRange observed_range(const kernels::Histogram& histogram, const ActivationConfig& config) {
  if (config.observer == ObserverKind::kPercentile)
    return kernels::percentile_range(histogram, config.percentile);
  if (config.observer == ObserverKind::kKl)
    return quant::kl_range(histogram, config.activation_qmin(), config.qmax());
  const kernels::ClippingRange least =
      kernels::least_error_range(histogram, config.activation_qmin(), config.qmax(), config.symmetric);
  return {least.low, least.high};
}

}  // namespace samebits
