#include "training/tasks/choices.h"

namespace samebits::training {
namespace {

struct Loss {
  std::string name;
  std::vector<std::string> metrics;
};

const std::vector<Loss>& losses() {
  static const std::vector<Loss> table = {{"cross_entropy", {"accuracy", "top5"}},
                                          {"mse", {"mse"}},
                                          {"bce", {"accuracy"}},
                                          {"next_token", {"bits_per_byte", "perplexity", "accuracy"}}};
  return table;
}

}  // namespace

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const Loss& loss : losses()) names.push_back(loss.name);
  return names;
}

std::vector<std::string> metric_names() {
  return {"accuracy", "top5", "mse", "perplexity", "bits_per_byte"};
}

std::vector<std::string> losses_of(const std::string& source) {
  if (source == "idx" || source == "images") return {"cross_entropy"};
  if (source == "text") return {"next_token"};
  if (source == "library") return loss_names();
  return {"cross_entropy", "mse", "bce"};
}

std::vector<std::string> metrics_of(const std::string& loss) {
  for (const Loss& each : losses())
    if (each.name == loss) return each.metrics;
  return {};
}

}  // namespace samebits::training
