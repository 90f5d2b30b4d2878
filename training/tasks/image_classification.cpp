#include "training/tasks/image_classification.h"

#include <torch/torch.h>

#include "training/data/image_set.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

namespace F = torch::nn::functional;

class ImageClassification : public Task {
 public:
  explicit ImageClassification(const Config& config)
      : model_(config.model), augment_(config.data.augment), images_(load_images(config.data)) {}

  const Examples& train() const override { return images_.train; }
  const Examples& test() const override { return images_.test; }

  void augment(Batch& batch, const StepPlace& place) const override {
    batch.x = augmented(batch.x, augment_, images_.train.background(), place);
  }

  std::shared_ptr<Model> make_model() const override {
    return training::make_model(model_,
                                {{1, images_.train.height(), images_.train.width()}, ImageSet::kClasses});
  }

  torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const override {
    return F::cross_entropy(output, target);
  }

  void add_up(Totals& totals, const torch::Tensor& output, const torch::Tensor& target) const override {
    totals.loss +=
        F::cross_entropy(output, target, F::CrossEntropyFuncOptions().reduction(torch::kSum)).item<double>();
    totals.score += static_cast<double>((output.argmax(1) == target).sum().item<std::int64_t>());
    totals.examples += target.size(0);
  }

  double metric_value(const Totals& totals) const override {
    return 100.0 * totals.score / static_cast<double>(totals.examples);
  }

  Metric metric() const override { return {.name = "accuracy", .unit = "%", .decimals = 2}; }

 private:
  ModelConfig model_;
  AugmentConfig augment_;
  TrainAndTest images_;
};

}  // namespace

std::unique_ptr<Task> make_image_classification(const Config& config) {
  return std::make_unique<ImageClassification>(config);
}

}  // namespace samebits::training
