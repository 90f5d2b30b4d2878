#include "training/tasks/objective.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace samebits::training {
namespace {

using torch::Tensor;
namespace F = torch::nn::functional;

constexpr Metric kMetrics[] = {{.name = "accuracy", .unit = "%", .decimals = 2},
                               {.name = "top5", .unit = "%", .decimals = 2},
                               {.name = "mse", .unit = "", .decimals = 4},
                               {.name = "perplexity", .unit = "", .decimals = 3},
                               {.name = "bits_per_byte", .unit = "", .decimals = 3}};

Metric metric_of(const std::string& name) {
  for (const Metric& each : kMetrics)
    if (name == each.name) return each;
  throw std::logic_error("[task] metric: expected one of metric_names(), got " + name);
}

/// The loss of every token, as many rows as there are.
Tensor token_rows(const Tensor& output) {
  return output.dim() == 3 ? output.flatten(0, 1) : output;
}

}  // namespace

Objective::Objective(const std::string& loss, const std::string& metric)
    : loss_(loss == "cross_entropy" ? Loss::kCrossEntropy
            : loss == "mse"         ? Loss::kMse
            : loss == "bce"         ? Loss::kBce
                                    : Loss::kNextToken),
      metric_(metric_of(metric)) {}

Tensor Objective::loss(const Tensor& output, const Tensor& target) const {
  switch (loss_) {
    case Loss::kMse:
      return torch::mse_loss(output, target);
    case Loss::kBce:
      return torch::binary_cross_entropy_with_logits(output, target);
    default:
      return F::cross_entropy(token_rows(output), target.flatten());
  }
}

void Objective::add_up(Totals& totals, const Tensor& output, const Tensor& target) const {
  const std::int64_t n = target.size(0);
  const auto each = static_cast<double>(target.numel()) / static_cast<double>(n);  // terms of an example
  Tensor sum;
  if (loss_ == Loss::kMse)
    sum = torch::mse_loss(output, target, at::Reduction::Sum);
  else if (loss_ == Loss::kBce)
    sum = torch::binary_cross_entropy_with_logits(output, target, {}, {}, at::Reduction::Sum);
  else
    sum = F::cross_entropy(token_rows(output), target.flatten(),
                           F::CrossEntropyFuncOptions().reduction(torch::kSum));
  totals.loss += sum.item<double>() / each;
  totals.score += score(output, target) / each;
  totals.examples += n;
}

/// How many decisions are right.
double Objective::score(const Tensor& output, const Tensor& target) const {
  const std::string name = metric_.name;
  Tensor right;
  if (name == "accuracy")
    right = loss_ == Loss::kBce ? (output > 0) == (target > 0.5) : output.argmax(-1) == target;
  else if (name == "top5")
    right = std::get<1>(output.topk(std::min<std::int64_t>(5, output.size(-1)), -1)) == target.unsqueeze(-1);
  return right.defined() ? static_cast<double>(right.sum().item<std::int64_t>()) : 0;
}

double Objective::metric_value(const Totals& totals) const {
  const double loss = totals.loss / static_cast<double>(totals.examples);
  const std::string name = metric_.name;
  if (name == "mse") return loss;
  if (name == "perplexity") return std::exp(loss);
  if (name == "bits_per_byte") return loss / std::numbers::ln2;
  return 100.0 * totals.score / static_cast<double>(totals.examples);
}

}  // namespace samebits::training
