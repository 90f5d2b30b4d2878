#include "training/data/plugin_data.h"

#include <torch/torch.h>

#include "training/data/tensor_set.h"
#include "training/errors.h"
#include "training/plugin.h"

namespace samebits::training {
namespace {

/// Checks one part after another against the first.
class PartChecker {
 public:
  PartChecker(const DataConfig& config, const PluginData& data) : config_(config), data_(data) {}

  std::unique_ptr<Examples> checked(const PluginPart& part, const std::string& name,
                                    std::int64_t limit) const {
    const PluginPart& train = data_.train;
    if (!part.x.defined() || !part.target.defined() || part.x.dim() < 2 || part.x.size(0) == 0)
      fail(name, "x and target of at least one example", "none");
    if (part.x.scalar_type() != torch::kFloat && part.x.scalar_type() != torch::kLong)
      fail(name + ".x", "float32 or int64", c10::str(part.x.scalar_type()));
    if (part.target.scalar_type() != torch::kFloat && part.target.scalar_type() != torch::kLong)
      fail(name + ".target", "float32 or int64", c10::str(part.target.scalar_type()));
    if (part.x.sizes().slice(1) != train.x.sizes().slice(1) || part.x.scalar_type() != train.x.scalar_type())
      fail(name + ".x",
           c10::str(train.x.scalar_type(), " examples ", train.x.sizes().slice(1), " like train.x"),
           c10::str(part.x.scalar_type(), " ", part.x.sizes().slice(1)));
    if (part.target.size(0) != part.x.size(0))
      fail(name + ".target", std::to_string(part.x.size(0)) + " targets, one an example",
           std::to_string(part.target.size(0)));
    const std::int64_t count = limit > 0 ? std::min(limit, part.x.size(0)) : part.x.size(0);
    return std::make_unique<TensorSet>(part.x.narrow(0, 0, count).contiguous(),
                                       part.target.narrow(0, 0, count).contiguous());
  }

  [[noreturn]] void fail(const std::string& where, const std::string& expected,
                         const std::string& got) const {
    throw UsageError("[plugin] " + config_.path + ": " + config_.name + ": " + where + ": expected " +
                     expected + ", got " + got);
  }

 private:
  const DataConfig& config_;
  const PluginData& data_;
};

}  // namespace

DataSet load_plugin_data(const DataConfig& config) {
  const auto& factory = plugin_factory(load_plugin(config.path).data(), config.path, "data set", config.name);
  const PluginData data = run_plugin(config.path, config.name, factory);
  const PartChecker checker(config, data);
  DataSet set{
      .train = checker.checked(data.train, "train", config.train_limit),
      .validation = nullptr,
      .test = checker.checked(data.test, "test", config.test_limit),
      .input = data.train.x.sizes().slice(1).vec(),
      .is_tokens = data.train.x.scalar_type() == torch::kLong,
      .target = data.train.target.scalar_type() == torch::kFloat ? TargetKind::kReals : TargetKind::kClasses,
      .outputs = data.outputs,
      .background = {}};
  if (data.validation.x.defined()) set.validation = checker.checked(data.validation, "validation", 0);
  if (data.outputs < 1) checker.fail("outputs", "a number >= 1", std::to_string(data.outputs));
  if (set.input.size() == 3) set.background = torch::zeros({set.input[0], 1, 1});
  return set;
}

}  // namespace samebits::training
