#include <functional>
#include <numeric>

#include "training/models/linears.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

class Mlp : public torch::nn::Module {
 public:
  Mlp(const ModelConfig& config, const ModelRequest& request) {
    const std::int64_t in_features =
        std::accumulate(request.input.begin(), request.input.end(), std::int64_t{1}, std::multiplies<>());
    std::vector<std::int64_t> sizes = config.hidden;
    sizes.push_back(request.outputs);
    linears_.add(*this, in_features, sizes, /*is_input_relu=*/false);
  }
  torch::Tensor forward(const torch::Tensor& x) { return linears_.forward(x); }

 private:
  Linears linears_;
};

}  // namespace

TrainableModel make_mlp(const ModelConfig& config, const ModelRequest& request) {
  return trainable_model(std::make_shared<Mlp>(config, request));
}

}  // namespace samebits::training
