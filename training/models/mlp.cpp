#include <functional>
#include <numeric>

#include "training/models/linears.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

class Mlp : public Model {
 public:
  Mlp(const ModelConfig& config, const ExampleShape& shape) {
    const std::int64_t in_features =
        std::accumulate(shape.input.begin(), shape.input.end(), std::int64_t{1}, std::multiplies<>());
    std::vector<std::int64_t> sizes = config.hidden;
    sizes.push_back(shape.outputs);
    linears_.add(*this, in_features, sizes, /*is_input_relu=*/false);
  }
  torch::Tensor forward(const torch::Tensor& x) override { return linears_.forward(x); }

 private:
  Linears linears_;
};

}  // namespace

std::shared_ptr<Model> make_mlp(const ModelConfig& config, const ExampleShape& shape) {
  return std::make_shared<Mlp>(config, shape);
}

}  // namespace samebits::training
