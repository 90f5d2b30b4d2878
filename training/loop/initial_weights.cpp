#include "training/loop/initial_weights.h"

#include <torch/torch.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "io/error.h"
#include "torch_ext/modules/qat_layer.h"
#include "training/errors.h"
#include "training/library_errors.h"
#include "training/loop/checkpoint.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, torch::Tensor>;

constexpr char kAnotherModel[] = "; is it of another model?";

[[noreturn]] void fail(const fs::path& file, const std::string& name, const std::string& expected,
                       const std::string& got, const std::string& way_out) {
  throw UsageError("[init] " + file.string() + ": " + name + ": expected " + expected + ", got " + got +
                   way_out);
}

/// "F32 [3, 2]".
std::string text_of(const std::string& dtype, at::IntArrayRef shape) {
  return dtype + " " + io::to_text(shape.vec());
}

/// What a file must have for the tensor of a model.
std::string text_of(const torch::Tensor& to) {
  const char* dtype = to.is_floating_point() ? "F32" : to.scalar_type() == torch::kBool ? "BOOL" : "I64";
  return text_of(dtype, to.sizes());
}

/// Undefined for a dtype that no weight has.
torch::Tensor tensor_of(const io::TensorData& data) {
  static const std::map<std::string, torch::ScalarType> types = {
      {"F64", torch::kDouble},    {"F32", torch::kFloat}, {"F16", torch::kHalf},
      {"BF16", torch::kBFloat16}, {"I64", torch::kLong},  {"BOOL", torch::kBool}};
  const auto type = types.find(data.dtype);
  if (type == types.end()) return {};
  return torch::from_blob(const_cast<std::uint8_t*>(data.bytes.data()), data.shape, type->second).clone();
}

/// Takes away what belongs to the quantizers of a checkpoint's layers: a model of torch's own layers has
/// none.
void remove_quantizers(const std::string& scheme, std::map<std::string, io::TensorData>& weights) {
  const auto layers = nlohmann::json::parse(scheme, nullptr, /*allow_exceptions=*/false);
  for (const auto& [layer, ignored] : layers.items()) {
    const std::string prefix = layer + ".input.";
    std::erase_if(weights, [&](const auto& each) { return each.first.starts_with(prefix); });
  }
}

/// What the file has, under the names that a model gives; of a checkpoint, the model alone.
std::map<std::string, io::TensorData> weights_in(const fs::path& path) {
  io::SafetensorsFile file = refusing([&] { return io::read_safetensors(path); });
  if (file.metadata.count("position") == 0) return std::move(file.tensors);
  Checkpoint::read(path);  // its checksum
  constexpr std::string_view kPrefix = "model.";
  std::map<std::string, io::TensorData> weights;
  for (auto& [name, data] : file.tensors)
    if (name.starts_with(kPrefix)) weights[name.substr(kPrefix.size())] = std::move(data);
  if (const auto scheme = file.metadata.find("scheme"); scheme != file.metadata.end())
    remove_quantizers(scheme->second, weights);
  return weights;
}

/// Buffers of quantizers: a run finds its own.
std::set<std::string> quantizer_buffers(const torch::nn::Module& model) {
  std::set<std::string> names;
  for (const auto& module : model.named_modules()) {
    if (!as_qat_layer(module.value())) continue;
    for (const auto& buffer : module.value()->named_buffers())
      names.insert(module.key() + "." + buffer.key());
  }
  return names;
}

torch::Tensor checked(const fs::path& file, const std::string& name, const torch::Tensor& to,
                      const io::TensorData& data) {
  const torch::Tensor from = tensor_of(data);
  if (!from.defined() || from.sizes() != to.sizes() || from.is_floating_point() != to.is_floating_point() ||
      (from.scalar_type() == torch::kBool) != (to.scalar_type() == torch::kBool))
    fail(file, name, text_of(to), text_of(data.dtype, data.shape), kAnotherModel);
  const torch::Tensor value = from.to(to.scalar_type()), wrong = value.isfinite().logical_not();
  if (wrong.any().item<bool>()) {
    const std::int64_t at = wrong.flatten().nonzero()[0].item<std::int64_t>();
    fail(file, name, "finite numbers", c10::str(value.flatten()[at].item<float>(), " at element ", at),
         "; save the weights again");
  }
  return value;
}

}  // namespace

void load_initial_weights(torch::nn::Module& model, const fs::path& file) {
  const std::map<std::string, io::TensorData> weights = weights_in(file);
  const std::set<std::string> left_alone = quantizer_buffers(model);
  Tensors to, values;
  for (const auto& each : model.named_parameters()) to[each.key()] = each.value();
  for (const auto& each : model.named_buffers())
    if (left_alone.count(each.key()) == 0) to[each.key()] = each.value();
  for (const auto& [name, tensor] : to) {
    const auto found = weights.find(name);
    if (found == weights.end()) fail(file, name, text_of(tensor), "none", kAnotherModel);
    values[name] = checked(file, name, tensor, found->second);
  }
  for (const auto& [name, data] : weights)
    if (to.count(name) == 0 && left_alone.count(name) == 0)
      fail(file, name, "no tensor of that name", text_of(data.dtype, data.shape), kAnotherModel);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : to) tensor.copy_(values[name]);
}

}  // namespace samebits::training
