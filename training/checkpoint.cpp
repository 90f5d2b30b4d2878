#include "training/checkpoint.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <bit>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "runtime/safetensors.h"
#include "training/optimizer.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using runtime::SafetensorsFile;
using runtime::TensorData;

constexpr const char* kModel = "model.";
constexpr const char* kOptimizer = "optimizer.";
constexpr const char* kGenerator = "generator";

struct Dtype {
  torch::ScalarType type;
  const char* name;
};
constexpr Dtype kDtypes[] = {{torch::kFloat, "F32"}, {torch::kDouble, "F64"}, {torch::kLong, "I64"},
                             {torch::kInt, "I32"},   {torch::kChar, "I8"},    {torch::kByte, "U8"}};

TensorData data_of(const torch::Tensor& tensor_any) {
  const torch::Tensor tensor = tensor_any.detach().cpu().contiguous();
  for (const Dtype& each : kDtypes) {
    if (each.type != tensor.scalar_type()) continue;
    const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
    return {each.name, tensor.sizes().vec(), {bytes, bytes + tensor.nbytes()}};
  }
  throw std::runtime_error("[checkpoint] dtype: expected one of F32, F64, I64, I32, I8, U8, got " +
                           std::string(c10::toString(tensor.scalar_type())));
}

torch::Tensor tensor_of(const TensorData& data) {
  for (const Dtype& each : kDtypes) {
    if (data.dtype != each.name) continue;
    torch::Tensor tensor = torch::empty(data.shape, each.type);
    if (!data.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), data.bytes.data(), data.bytes.size());
    return tensor;
  }
  throw std::runtime_error("[checkpoint] dtype: expected one of F32, F64, I64, I32, I8, U8, got " + data.dtype);
}

/// Parameters and buffers by name.
std::map<std::string, torch::Tensor> model_tensors(torch::nn::Module& model) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& each : model.named_parameters()) tensors[each.key()] = each.value();
  for (const auto& each : model.named_buffers()) tensors[each.key()] = each.value();
  return tensors;
}

}  // namespace

void save_checkpoint(const fs::path& path, torch::nn::Module& model, torch::optim::Optimizer& optimizer,
                     const TrainingPosition& position) {
  SafetensorsFile file;
  for (const auto& [name, tensor] : model_tensors(model)) file.tensors[kModel + name] = data_of(tensor);
  for (const auto& [name, tensor] : optimizer_state(optimizer, model))
    file.tensors[kOptimizer + name] = data_of(tensor);
  file.tensors[kGenerator] = data_of(at::detail::getDefaultCPUGenerator().get_state());
  file.metadata["position"] = nlohmann::json{{"phase", position.phase},
                                             {"epoch", position.epoch},
                                             {"step_in_epoch", position.step_in_epoch},
                                             {"loss_sum", position.loss_sum},
                                             {"samples", position.samples}}
                                  .dump();
  runtime::write_safetensors(path, file);
}

TrainingPosition read_position(const fs::path& path) {
  const SafetensorsFile file = runtime::read_safetensors(path);
  const auto found = file.metadata.find("position");
  if (found == file.metadata.end())
    throw std::runtime_error("[checkpoint] " + path.string() + ": expected metadata \"position\", not there");
  try {
    const auto json = nlohmann::json::parse(found->second);
    return {json.at("phase"), json.at("epoch"), json.at("step_in_epoch"), json.at("loss_sum"), json.at("samples")};
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error("[checkpoint] " + path.string() + ": metadata \"position\": " + error.what());
  }
}

void load_model(const fs::path& path, torch::nn::Module& model) {
  const torch::NoGradGuard no_grad;
  const SafetensorsFile file = runtime::read_safetensors(path);
  const auto fail = [&](const std::string& name, const std::string& text) {
    throw std::runtime_error("[checkpoint] " + path.string() + ": " + name + ": " + text +
                             "; is it of another model?");
  };
  std::map<std::string, torch::Tensor> tensors = model_tensors(model);
  for (auto& [name, tensor] : tensors) {
    const auto found = file.tensors.find(kModel + name);
    if (found == file.tensors.end()) fail(name, "expected in the checkpoint, not there");
    const torch::Tensor loaded = tensor_of(found->second);
    if (loaded.sizes() != tensor.sizes() || loaded.scalar_type() != tensor.scalar_type())
      fail(name, c10::str("expected ", tensor.scalar_type(), " ", tensor.sizes(), ", got ", loaded.scalar_type(), " ",
                          loaded.sizes()));
    tensor.copy_(loaded);
  }
  for (const auto& [name, data] : file.tensors)
    if (name.starts_with(kModel) && tensors.count(name.substr(std::strlen(kModel))) == 0)
      fail(name, "expected in the model, not there");
}

void load_optimizer(const fs::path& path, torch::nn::Module& model, torch::optim::Optimizer& optimizer) {
  const SafetensorsFile file = runtime::read_safetensors(path);
  std::map<std::string, torch::Tensor> state;
  for (const auto& [name, data] : file.tensors)
    if (name.starts_with(kOptimizer)) state[name.substr(std::strlen(kOptimizer))] = tensor_of(data);
  load_optimizer_state(optimizer, model, state);
  const auto generator = file.tensors.find(kGenerator);
  if (generator == file.tensors.end())
    throw std::runtime_error("[checkpoint] " + path.string() + ": generator: expected in the checkpoint, not there");
  at::Generator torch_default = at::detail::getDefaultCPUGenerator();
  torch_default.set_state(tensor_of(generator->second));
}

}  // namespace samebits::training
