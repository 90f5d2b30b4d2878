// An observer that counts all values of the batches it sees, and takes a range from the counts: what it knows
// is in buffers of a module of its own.
#pragma once

#include <torch/nn.h>

#include "kernels/observe/histogram.h"
#include "torch_ext/config/qconfig.h"

namespace samebits {

class HistogramObserverImpl : public torch::nn::Module {
 public:
  HistogramObserverImpl();

  /// Counts the values of x. Throws c10::Error on an infinity; NaNs are left out.
  void observe(const torch::Tensor& x);
  /// What was counted, read from the device.
  kernels::Histogram histogram() const;

  // Buffers keep their types, whatever a model is converted to.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype, bool non_blocking = false) override;
  void to(torch::Dtype, bool non_blocking = false) override;

 private:
  torch::Tensor counts_, range_;  // int64 [2048]; float32 [2]
};
TORCH_MODULE(HistogramObserver);

/// The range of what the histogram holds, by the rule of an observer that uses_histogram().
kernels::HistogramRange observed_range(const kernels::Histogram& histogram, const ActivationConfig& config);

}  // namespace samebits
