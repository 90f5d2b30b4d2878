#include "training/checkpoint.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <bit>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "io/error.h"
#include "io/safetensors.h"
#include "training/optimizer.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using io::SafetensorsFile;
using io::TensorData;

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

/// `where` is the file and the tensor's name, for the message.
torch::Tensor tensor_of(const TensorData& data, const std::string& where) {
  for (const Dtype& each : kDtypes) {
    if (data.dtype != each.name) continue;
    torch::Tensor tensor = torch::empty(data.shape, each.type);
    if (!data.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), data.bytes.data(), data.bytes.size());
    return tensor;
  }
  throw std::runtime_error("[checkpoint] " + where + ": expected one of F32, F64, I64, I32, I8, U8, got " +
                           data.dtype + "; is it a checkpoint of samebits train?");
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
  file.metadata["position"] = nlohmann::json{
      {"phase", position.phase},
      {"epoch", position.epoch},
      {"step_in_epoch", position.step_in_epoch},
      {"loss_sum", position.loss_sum},
      {"samples",
       position.samples}}.dump();
  io::write_safetensors(path, file);
}

TrainingPosition read_position(const fs::path& path) {
  const SafetensorsFile file = io::read_safetensors(path);
  const auto found = file.metadata.find("position");
  const std::string text = found == file.metadata.end() ? "none" : found->second;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  try {
    TrainingPosition position{json.at("phase"), json.at("epoch"), json.at("step_in_epoch"),
                              json.at("loss_sum"), json.at("samples")};
    if (position.phase == "fp32" || position.phase == "qat") return position;
  } catch (const nlohmann::json::exception&) {  // reported below
  }
  throw std::runtime_error(
      "[checkpoint] " + path.string() +
      ": metadata position: expected phase, epoch, step_in_epoch, loss_sum and samples, got " +
      io::shortened(text) + "; is it a checkpoint of samebits train?");
}

void load_model(const fs::path& path, torch::nn::Module& model) {
  const SafetensorsFile file = io::read_safetensors(path);
  const auto check = [&](bool is_right, const std::string& name, const std::string& expected,
                         const std::string& got) {
    if (!is_right)
      throw std::runtime_error("[checkpoint] " + path.string() + ": " + kModel + name + ": expected " +
                               expected + ", got " + got + "; is it of another model?");
  };
  const auto text = [](const torch::Tensor& tensor) {
    return c10::str(tensor.scalar_type(), " ", tensor.sizes());
  };
  std::map<std::string, torch::Tensor> tensors = model_tensors(model), loaded;
  for (const auto& [name, tensor] : tensors) {
    const auto found = file.tensors.find(kModel + name);
    check(found != file.tensors.end(), name, text(tensor), "none");
    loaded[name] = tensor_of(found->second, path.string() + ": " + found->first);
    check(text(loaded[name]) == text(tensor), name, text(tensor), text(loaded[name]));
  }
  for (const auto& [full_name, data] : file.tensors) {
    if (!full_name.starts_with(kModel)) continue;
    const std::string name = full_name.substr(std::strlen(kModel));
    check(tensors.count(name) > 0, name, "no tensor of that name",
          text(tensor_of(data, path.string() + ": " + full_name)));
  }
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : tensors) tensor.copy_(loaded[name]);
}

void load_optimizer(const fs::path& path, torch::nn::Module& model, torch::optim::Optimizer& optimizer) {
  const SafetensorsFile file = io::read_safetensors(path);
  std::map<std::string, torch::Tensor> state;
  for (const auto& [name, data] : file.tensors)
    if (name.starts_with(kOptimizer))
      state[name.substr(std::strlen(kOptimizer))] = tensor_of(data, path.string() + ": " + name);
  load_optimizer_state(optimizer, model, state, path.string());
  at::Generator torch_default = at::detail::getDefaultCPUGenerator();
  const torch::Tensor now = torch_default.get_state();
  const auto found = file.tensors.find(kGenerator);
  const torch::Tensor generator =
      found == file.tensors.end() ? torch::Tensor() : tensor_of(found->second, path.string() + ": generator");
  if (!generator.defined() || generator.scalar_type() != now.scalar_type() ||
      generator.sizes() != now.sizes())
    throw std::runtime_error(
        "[checkpoint] " + path.string() + ": generator: expected " + std::to_string(now.numel()) +
        " bytes of torch's generator, got another state or none; was it written by another "
        "version of torch?");
  torch_default.set_state(generator);
}

}  // namespace samebits::training
