#include "torch_ext/ptq/tails.h"

#include <torch/torch.h>

#include <algorithm>

namespace samebits {
namespace {

torch::Tensor outermost(const torch::Tensor& kept, const torch::Tensor& values, bool largest) {
  const auto first_of = [&](const torch::Tensor& from) {
    return std::get<0>(from.topk(std::min(Tails::kMost, from.numel()), /*dim=*/0, largest, /*sorted=*/true));
  };
  const torch::Tensor fresh = first_of(values.flatten());
  return kept.defined() ? first_of(torch::cat({kept, fresh})) : fresh;
}

}  // namespace

void Tails::add(const torch::Tensor& values) {
  lowest_ = outermost(lowest_, values, /*largest=*/false);
  highest_ = outermost(highest_, values, /*largest=*/true);
}

std::optional<kernels::HistogramRange> Tails::range(double p, std::int64_t total) const {
  const auto left_out = static_cast<std::int64_t>((1.0 - p) * static_cast<double>(total));
  if (!lowest_.defined() || left_out >= lowest_.numel()) return std::nullopt;
  return kernels::HistogramRange{lowest_.const_data_ptr<float>()[left_out],
                                 highest_.const_data_ptr<float>()[left_out]};
}

bool tells(const kernels::Histogram& histogram, const kernels::HistogramRange& range) {
  constexpr double kSteps = 256;
  const double bin =
      (double{histogram.range.high} - histogram.range.low) / static_cast<double>(kernels::kHistogramBins);
  return double{range.high} - range.low >= kSteps * bin;
}

}  // namespace samebits
