#include "torch_ext/quantizer/learned_grid.h"

#include <utility>

#include "csrc/float/functions.h"

namespace samebits {

using torch::Tensor;

namespace {

constexpr char kLogScale[] = "log_scale", kOffset[] = "offset";
// e^-80 > 2^-126; and a sum of 2^31 times the scales of both operands, e^60, is a float32.
constexpr double kLeastLog = -80, kLargestLog = 30;

}  // namespace

LearnedGridImpl::LearnedGridImpl(std::vector<std::int64_t> shape, const Codes& codes, LearnedPart learned)
    : torch::nn::Module("LearnedGrid"), shape_(std::move(shape)), codes_(codes), learned_(learned) {
  log_scale = register_parameter(kLogScale, torch::zeros(shape_));
  if (learned_ == LearnedPart::kScaleAndZeroPoint && !codes_.symmetric)
    offset = register_parameter(kOffset, torch::zeros(shape_));
  else
    fixed_zero_point_ = register_buffer("zero_point", torch::zeros(shape_, torch::kInt));
}

void LearnedGridImpl::set(const Tensor& scale, const Tensor& zero_point) {
  const torch::NoGradGuard no_grad;
  log_scale.copy_(scale.reshape(shape_).log());
  if (!offset.defined()) {
    fixed_zero_point_.copy_(zero_point.reshape(shape_));
    return;
  }
  const double span = static_cast<double>(codes_.qmax - codes_.qmin);
  offset.copy_((zero_point.reshape(shape_).to(torch::kFloat) - static_cast<double>(codes_.qmin)) / span);
}

EstimatedGrid LearnedGridImpl::estimated() const {
  const Tensor zero_point = offset.defined() ? offset * static_cast<double>(codes_.qmax - codes_.qmin) +
                                                   static_cast<double>(codes_.qmin)
                                             : fixed_zero_point_;
  return {ops::exp(log_scale.clamp(kLeastLog, kLargestLog)), zero_point, codes_.qmin, codes_.qmax,
          codes_.group_size};
}

Tensor LearnedGridImpl::scale() const {
  const torch::NoGradGuard no_grad;
  return estimated().scale;
}

Tensor LearnedGridImpl::zero_point() const {
  if (!offset.defined()) return fixed_zero_point_;
  const torch::NoGradGuard no_grad;
  return estimated().zero_point.round().clamp(codes_.qmin, codes_.qmax).to(torch::kInt);
}

void LearnedGridImpl::to(torch::Device device, torch::Dtype, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
}

void LearnedGridImpl::to(torch::Dtype, bool) {}

std::vector<Tensor> grid_parameters(const torch::nn::Module& model) {
  std::vector<Tensor> parameters;
  for (const auto& module : model.modules(/*include_self=*/false))
    if (const auto* grid = dynamic_cast<const LearnedGridImpl*>(module.get()))
      for (const Tensor& each : grid->parameters()) parameters.push_back(each);
  return parameters;
}

}  // namespace samebits
