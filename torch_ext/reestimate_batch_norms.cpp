#include "torch_ext/reestimate_batch_norms.h"

#include <torch/nn.h>

#include <functional>
#include <set>

#include "torch_ext/modules/joined_batch_norm.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {
namespace {

/// What ends the estimation of one batch norm.
using End = std::function<void()>;

End begin(JoinedBatchNormImpl& batch_norm) {
  batch_norm.begin_estimation();
  return [&batch_norm] { batch_norm.end_estimation(); };
}

/// A torch::nn::BatchNorm without a momentum averages all batches since the last reset.
template <class BatchNorm>
End begin_if(torch::nn::Module& module) {
  auto* found = dynamic_cast<BatchNorm*>(&module);
  if (found == nullptr || !found->running_mean.defined()) return {};
  const std::optional<double> momentum = found->options.momentum();
  const torch::Tensor tracked = found->num_batches_tracked.clone();
  found->reset_running_stats();
  found->options.momentum(std::nullopt);
  found->train();
  return [=] {
    found->options.momentum(momentum);
    found->num_batches_tracked.copy_(tracked);
  };
}

End begin(torch::nn::Module& module) {
  if (End end = begin_if<torch::nn::BatchNorm1dImpl>(module)) return end;
  if (End end = begin_if<torch::nn::BatchNorm2dImpl>(module)) return end;
  return begin_if<torch::nn::BatchNorm3dImpl>(module);
}

/// Every batch norm of a model while its statistics are made.
class Estimation {
 public:
  explicit Estimation(torch::nn::Module& model) {
    std::set<const torch::nn::Module*> seen;  // one may be in the model and joined
    for (const auto& module : model.modules()) {
      if (const auto layer = as_qat_layer(module); layer != nullptr && layer->batch_norm() != nullptr) {
        if (seen.insert(layer->batch_norm().get()).second) ends_.push_back(begin(*layer->batch_norm()));
      } else if (End end = begin(*module)) {
        ends_.push_back(std::move(end));
      }
    }
  }
  ~Estimation() {
    for (const End& end : ends_) end();
  }
  bool is_empty() const { return ends_.empty(); }
  Estimation(const Estimation&) = delete;
  Estimation& operator=(const Estimation&) = delete;

 private:
  std::vector<End> ends_;
};

}  // namespace

void reestimate_batch_norms(const ModelRef& model, const std::vector<torch::Tensor>& batches) {
  if (batches.empty()) return;
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  const Estimation estimation(model.module);
  if (estimation.is_empty()) return;
  for (const torch::Tensor& batch : batches) model.forward(batch.clone());
}

}  // namespace samebits
