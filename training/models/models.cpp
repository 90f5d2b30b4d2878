#include "training/models/models.h"

#include "training/errors.h"
#include "training/models/names.h"

namespace samebits::training {
namespace {

struct Entry {
  std::string_view name;
  std::shared_ptr<Model> (*make)(const ModelConfig& config, const ExampleShape& shape);
};
constexpr std::array<Entry, kModelNames.size()> kModels = {{{"cnn", make_cnn}, {"mlp", make_mlp}}};

constexpr bool are_named_alike() {
  for (std::size_t i = 0; i < kModels.size(); ++i)
    if (kModels[i].name != kModelNames[i]) return false;
  return true;
}
static_assert(are_named_alike(), "names.h is what a configuration may say");

}  // namespace

std::shared_ptr<Model> make_model(const ModelConfig& config, const ExampleShape& shape) {
  for (const Entry& entry : kModels)
    if (entry.name == config.name) return entry.make(config, shape);
  throw UsageError("[model] name: expected one of the models, got \"" + config.name + "\"");
}

}  // namespace samebits::training
