#include "training/loop/checkpoint.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "io/error.h"
#include "io/json.h"
#include "torch_ext/prepare.h"
#include "training/crc32c.h"
#include "training/errors.h"
#include "training/loop/optimizer.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using io::SafetensorsFile;
using io::TensorData;

constexpr const char* kModel = "model.";
constexpr const char* kOptimizer = "optimizer.";
constexpr const char* kGenerator = "generator";
constexpr const char* kPosition = "position";
constexpr const char* kScheme = "scheme";
constexpr const char* kChecksum = "crc32c";

struct Dtype {
  torch::ScalarType type;
  const char* name;
};
constexpr Dtype kDtypes[] = {{torch::kFloat, "F32"}, {torch::kDouble, "F64"}, {torch::kLong, "I64"},
                             {torch::kInt, "I32"},   {torch::kChar, "I8"},    {torch::kByte, "U8"},
                             {torch::kBool, "BOOL"}};

TensorData data_of(const torch::Tensor& tensor_any) {
  const torch::Tensor tensor = tensor_any.detach().cpu().contiguous();
  for (const Dtype& each : kDtypes) {
    if (each.type != tensor.scalar_type()) continue;
    const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
    return {each.name, tensor.sizes().vec(), {bytes, bytes + tensor.nbytes()}};
  }
  throw std::logic_error("[checkpoint] dtype: expected one of F32, F64, I64, I32, I8, U8, BOOL, got " +
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
  throw UsageError("[checkpoint] " + where + ": expected one of F32, F64, I64, I32, I8, U8, BOOL, got " +
                   data.dtype + "; is it a checkpoint of samebits train?");
}

std::string text_of(const torch::Tensor& tensor) {
  return c10::str(tensor.scalar_type(), " ", tensor.sizes());
}

/// Parameters and buffers by name.
std::map<std::string, torch::Tensor> model_tensors(torch::nn::Module& model) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& each : model.named_parameters()) tensors[each.key()] = each.value();
  for (const auto& each : model.named_buffers()) tensors[each.key()] = each.value();
  return tensors;
}

/// By layer, what its codes mean: "int4 groups of 32, input int8 affine", or "float". Empty before QAT.
std::map<std::string, std::string> scheme_of(torch::nn::Module& model) {
  std::map<std::string, std::string> scheme;
  bool is_quantized = false;
  for (const auto& module : model.named_modules()) {
    const auto layer = as_qat_layer(module.value());
    if (!layer) continue;
    const bool is_float = layer->state() == QuantizerState::kFloat;
    const LayerConfig& config = layer->config();
    scheme[module.key()] = is_float ? "float" : scheme_text(config);
    is_quantized = is_quantized || !is_float;
  }
  return is_quantized ? scheme : std::map<std::string, std::string>();
}

/// What a quantizer's buffer may hold. A damaged one would index arrays or multiply by NaN.
void check_quantizer_buffer(const std::string& name, const torch::Tensor& value,
                            const std::function<void(const std::string&, const std::string&)>& fail) {
  const auto expect = [&](const char* suffix, double low, double high, const char* expected) {
    if (!name.ends_with(suffix) || value.numel() != 1) return;
    const double number = value.item<double>();
    if (!(number >= low && number <= high)) fail(expected, formatted("%.9g", number));
  };
  expect(".input.state", 0, 3, "a state 0..3");
  expect(".input.observed", 0, 9e18, "a count >= 0");
  expect(".input.scale", std::ldexp(1.0, -126), 3.4028234663852886e38, "a finite scale >= 2^-126");
  expect(".input.zero_point", -128, 127, "a code in -128..127");
  expect(".input.min", -3.4028234663852886e38, 3.4028234663852886e38, "a finite number");
  expect(".input.max", -3.4028234663852886e38, 3.4028234663852886e38, "a finite number");
}

std::string checksum_of(SafetensorsFile file, const fs::path& path) {
  file.metadata.erase(kChecksum);
  return formatted("%08x", crc32c(io::safetensors_bytes(file, path)));
}

}  // namespace

void seal_checkpoint(SafetensorsFile& file) {
  file.metadata[kChecksum] = checksum_of(file, "checkpoint");
}

void save_checkpoint(const fs::path& path, torch::nn::Module& model, torch::optim::Optimizer& optimizer,
                     const TrainingPosition& position) {
  SafetensorsFile file;
  for (const auto& [name, tensor] : model_tensors(model)) file.tensors[kModel + name] = data_of(tensor);
  for (const auto& [name, tensor] : optimizer_state(optimizer, model))
    file.tensors[kOptimizer + name] = data_of(tensor);
  file.tensors[kGenerator] = data_of(at::detail::getDefaultCPUGenerator().get_state());
  file.metadata[kPosition] = nlohmann::json{
      {"phase", position.phase},
      {"epoch", position.epoch},
      {"step_in_epoch", position.step_in_epoch},
      {"loss_sum", position.loss_sum},
      {"samples",
       position.samples}}.dump();
  const auto scheme = scheme_of(model);
  if (!scheme.empty()) file.metadata[kScheme] = nlohmann::json(scheme).dump();
  seal_checkpoint(file);
  io::write_safetensors(path, file);
}

void Checkpoint::fail(const std::string& what) const {
  throw UsageError("[checkpoint] " + path_.string() + ": " + what);
}

Checkpoint Checkpoint::read(const fs::path& path) {
  Checkpoint checkpoint = [&] {
    try {
      return Checkpoint(path, io::read_safetensors(path));
    } catch (const std::runtime_error& error) {
      throw UsageError(error.what());
    }
  }();
  checkpoint.check_checksum();
  checkpoint.read_position();
  return checkpoint;
}

void Checkpoint::check_checksum() const {
  for (const auto& [key, text] : file_.metadata)
    if (key != kPosition && key != kScheme && key != kChecksum)
      fail("metadata " + io::shortened(key) +
           ": expected position, scheme and crc32c alone; is it a checkpoint of "
           "samebits train?");
  const auto stored = file_.metadata.find(kChecksum);
  if (stored == file_.metadata.end() && file_.metadata.count(kScheme) == 0) return;  // an old one
  const std::string expected = stored == file_.metadata.end() ? "none" : io::shortened(stored->second);
  const std::string got = checksum_of(file_, path_);
  if (got != expected)
    fail("expected contents of crc32c " + expected + ", got " + got +
         "; the file is damaged, take another checkpoint");
}

void Checkpoint::read_position() {
  const auto found = file_.metadata.find(kPosition);
  const std::string text = found == file_.metadata.end() ? "none" : found->second;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto count = [&](const char* key) -> std::int64_t {
    const bool is_count = json.is_object() && json.contains(key) && json[key].is_number_unsigned() &&
                          json[key].get<std::uint64_t>() < std::uint64_t{1} << 62;
    return is_count ? json[key].get<std::int64_t>() : -1;
  };
  const bool has_others = json.is_object() && json.contains("phase") && json["phase"].is_string() &&
                          json.contains("loss_sum") && json["loss_sum"].is_number();
  if (has_others)
    position_ = {json["phase"], count("epoch"), count("step_in_epoch"), json["loss_sum"], count("samples")};
  const bool is_right = has_others && (position_.phase == "fp32" || position_.phase == "qat") &&
                        position_.epoch >= 0 && position_.step_in_epoch >= 0 && position_.samples >= 0 &&
                        std::isfinite(position_.loss_sum);
  if (!is_right)
    fail("metadata position: expected phase, epoch, step_in_epoch, loss_sum and samples, got " +
         io::shortened(text) + "; is it a checkpoint of samebits train?");
}

void Checkpoint::check_position(std::int64_t epochs, std::int64_t steps) const {
  const bool is_inside = position_.epoch < epochs && position_.step_in_epoch < steps;
  const bool is_end = position_.epoch == epochs && position_.step_in_epoch == 0;
  if (!is_inside && !is_end)
    fail("metadata position: expected at most epoch " + std::to_string(epochs) + " of " +
         std::to_string(steps) + " steps, got epoch " + std::to_string(position_.epoch) + ", step " +
         std::to_string(position_.step_in_epoch) + "; is it of another configuration?");
}

/// The scheme belongs to the checkpoint: the same parameters on other grids are another model.
void Checkpoint::check_scheme(torch::nn::Module& model) const {
  const auto found = file_.metadata.find(kScheme);
  const std::map<std::string, std::string> expected = scheme_of(model);
  if (found == file_.metadata.end() && (expected.empty() || file_.metadata.count(kChecksum) == 0)) return;
  const std::string text = found == file_.metadata.end() ? "{}" : found->second;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) fail("metadata scheme: expected a text by layer, got " + io::shortened(text));
  std::map<std::string, std::string> got;
  for (const auto& [layer, scheme] : json.items())
    got[layer] = scheme.is_string() ? scheme.get<std::string>() : "";
  const auto scheme_in = [](const std::map<std::string, std::string>& schemes, const std::string& layer) {
    const auto at = schemes.find(layer);
    return at == schemes.end() ? std::string("none") : at->second;
  };
  std::map<std::string, std::string> all = expected;
  all.insert(got.begin(), got.end());
  for (const auto& [layer, scheme] : all)
    if (scheme_in(expected, layer) != scheme_in(got, layer))
      fail(layer + ": expected the scheme of the configuration, " + scheme_in(expected, layer) + ", got " +
           io::shortened(scheme_in(got, layer)) +
           "; a trained model keeps its scheme: restore the configuration");
}

void Checkpoint::load_model(torch::nn::Module& model) const {
  const auto fail_at = [&](const std::string& name, const std::string& expected, const std::string& got,
                           const std::string& hint = "; is it of another model?") {
    fail(kModel + name + ": expected " + expected + ", got " + got + hint);
  };
  std::map<std::string, torch::Tensor> tensors = model_tensors(model), loaded;
  for (const auto& [name, tensor] : tensors) {
    const auto found = file_.tensors.find(kModel + name);
    if (found == file_.tensors.end()) fail_at(name, text_of(tensor), "none");
    loaded[name] = tensor_of(found->second, path_.string() + ": " + found->first);
    if (text_of(loaded[name]) != text_of(tensor)) fail_at(name, text_of(tensor), text_of(loaded[name]));
    check_quantizer_buffer(name, loaded[name], [&, name = name](const auto& expected, const auto& got) {
      fail_at(name, expected, got, "; the file is damaged, take another checkpoint");
    });
  }
  for (const auto& [full_name, data] : file_.tensors) {
    if (!full_name.starts_with(kModel)) continue;
    const std::string name = full_name.substr(std::strlen(kModel));
    if (tensors.count(name) == 0)
      fail_at(name, "no tensor of that name", text_of(tensor_of(data, path_.string() + ": " + full_name)));
  }
  check_scheme(model);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : tensors) tensor.copy_(loaded[name]);
}

void Checkpoint::load_optimizer(torch::nn::Module& model, torch::optim::Optimizer& optimizer) const {
  std::map<std::string, torch::Tensor> state;
  for (const auto& [name, data] : file_.tensors)
    if (name.starts_with(kOptimizer))
      state[name.substr(std::strlen(kOptimizer))] = tensor_of(data, path_.string() + ": " + name);
  const bool has_stepped = position_.epoch > 0 || position_.step_in_epoch > 0;
  load_optimizer_state(optimizer, model, state, {path_.string(), has_stepped});
  at::Generator torch_default = at::detail::getDefaultCPUGenerator();
  const torch::Tensor now = torch_default.get_state();
  const auto found = file_.tensors.find(kGenerator);
  const torch::Tensor generator = found == file_.tensors.end()
                                      ? torch::Tensor()
                                      : tensor_of(found->second, path_.string() + ": generator");
  if (!generator.defined() || generator.scalar_type() != now.scalar_type() ||
      generator.sizes() != now.sizes())
    fail("generator: expected " + std::to_string(now.numel()) +
         " bytes of torch's generator, got another state or none; was it written by another version of "
         "torch?");
  torch_default.set_state(generator);
}

}  // namespace samebits::training
