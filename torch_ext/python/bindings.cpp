// What python/samebits calls: a model as a graph that trains, the model that ships, a package that runs.
// Tensors cross as they are, so that parameters are the very tensors on both sides and autograd goes through.
#include <torch/custom_class.h>
#include <torch/torch.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "export/formats.h"
#include "graph/package.h"
#include "runtime/interpreter.h"
#include "torch_ext/config/qconfig_yaml.h"
#include "torch_ext/convert.h"
#include "torch_ext/graph/replay.h"
#include "torch_ext/load_pt2.h"
#include "torch_ext/prepare.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using TensorDict = c10::Dict<std::string, torch::Tensor>;

std::string preset_text(const std::string& name) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  write_qconfig(out, QConfig::preset(name));
  out << YAML::EndMap;
  return out.c_str();
}

/// The name of a preset, or the keys of docs/reference/configuration.md's `qat` as a map of YAML (or JSON);
/// and assignments to it.
QConfig config_of(const std::string& text, const std::vector<std::string>& assignments) {
  YamlValue map = YamlValue::parse(text.starts_with("{") ? text : preset_text(text), "config");
  for (const std::string& each : assignments) map.set(each);
  QConfig config = read_qconfig(map);
  map.finish();
  return config;
}

QuantizerState state_of(const std::string& name) {
  if (name == "observing") return QuantizerState::kObserving;
  if (name == "quantizing") return QuantizerState::kQuantizing;
  TORCH_CHECK(name == "frozen",
              "[samebits] state: expected \"observing\", \"quantizing\" or \"frozen\", got \"", name, "\"");
  return QuantizerState::kFrozen;
}

std::string name_of(QuantizerState state) {
  switch (state) {
    case QuantizerState::kFloat:
      return "float";
    case QuantizerState::kObserving:
      return "observing";
    case QuantizerState::kQuantizing:
      return "quantizing";
    case QuantizerState::kFrozen:
      return "frozen";
  }
  return "";
}

/// QuantizedModel: what ships.
class PythonQuantized : public torch::CustomClassHolder {
 public:
  explicit PythonQuantized(QuantizedModel model) : model_(std::move(model)) {}

  void save(const std::string& path) const { model_.save(path); }
  /// `format`: "package", "onnx", "onnx_qdq", "onnx_tensorrt" or another of export/formats.h.
  void export_to(const std::string& path, const std::string& format) const {
    if (format == "onnx") return model_.export_onnx(path);
    if (format == "onnx_qdq") return model_.export_onnx(path, OnnxStyle::kQdq);
    if (format == "onnx_tensorrt") return model_.export_onnx(path, OnnxStyle::kTensorrt);
    const ExportFormat* found = find_format(format);
    std::string names = "onnx, onnx_qdq, onnx_tensorrt";
    for (const ExportFormat& each : export_formats()) names += ", " + std::string(each.name);
    TORCH_CHECK(found != nullptr, "[samebits] format: expected one of ", names, ", got \"", format, "\"");
    found->save(model_.graph(), path);
  }

 private:
  QuantizedModel model_;
};

/// A file that holds a whole model, run by the runtime.
class PythonPackage : public torch::CustomClassHolder {
 public:
  explicit PythonPackage(const std::string& path)
      : interpreter_(format_of_file(path) == nullptr ? graph::load_package(path) : load_exported(path),
                     at::get_num_threads()) {}

  std::vector<torch::Tensor> run(const std::vector<torch::Tensor>& inputs) {
    std::vector<torch::Tensor> outputs;
    for (const runtime::Array& y : interpreter_.run(arrays_of(inputs))) outputs.push_back(tensor_of(y));
    return outputs;
  }
  std::vector<std::string> input_names() const {
    std::vector<std::string> names;
    for (const graph::Input& input : interpreter_.graph().inputs) names.push_back(input.name);
    return names;
  }
  std::vector<std::string> output_names() const { return interpreter_.graph().outputs; }

 private:
  runtime::Interpreter interpreter_;
};

/// GraphModule, and once prepared its layers.
class PythonModel : public torch::CustomClassHolder {
 public:
  explicit PythonModel(const std::string& path) : model_(load_pt2(path)) {}

  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& inputs) {
    return model_->forward(inputs);
  }
  void train(bool on) { model_->train(on); }
  void to(const std::string& device) { model_->to(torch::Device(device)); }

  TensorDict parameters() const { return dict_of(model_->named_parameters()); }
  TensorDict buffers() const { return dict_of(model_->named_buffers()); }

  void prepare(const std::string& config, const std::vector<std::string>& assignments,
               const std::vector<torch::Tensor>& examples, std::int64_t observe_steps, bool strict) {
    qat_ = samebits::prepare(model_, config_of(config, assignments), examples,
                             {.observe_steps = observe_steps, .strict = strict});
  }
  bool is_prepared() const { return qat_.has_value(); }
  std::string report() { return qat().report(); }
  std::string state() { return name_of(qat().state()); }
  void set_state(const std::string& name) { qat().set_state(state_of(name)); }
  void freeze_bn(bool frozen) { qat().freeze_bn(frozen); }

  c10::intrusive_ptr<PythonQuantized> convert(const std::vector<torch::Tensor>& examples,
                                              const std::string& name) {
    return c10::make_intrusive<PythonQuantized>(samebits::convert(model_, examples, name));
  }
  /// The batches one after another, `inputs` tensors each: text, images, logits, differing, differing_float.
  std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t, std::int64_t> verify(
      const std::string& file, const std::vector<torch::Tensor>& batches, std::int64_t inputs) {
    std::vector<Tensors> each;
    for (std::size_t i = 0; i < batches.size(); i += static_cast<std::size_t>(inputs))
      each.emplace_back(batches.begin() + i, batches.begin() + i + inputs);
    const VerifyReport report = samebits::verify(model_, file, each);
    return {report.text(), report.images, report.logits, report.differing, report.differing_float};
  }

 private:
  template <class Named>
  static TensorDict dict_of(const Named& tensors) {
    TensorDict dict;
    for (const auto& each : tensors) dict.insert(each.key(), each.value());
    return dict;
  }
  Prepared& qat() {
    TORCH_CHECK(qat_.has_value(),
                "[samebits] model: expected a prepared one, got a float model; call "
                "samebits.prepare()");
    return *qat_;
  }

  GraphModule model_;
  std::optional<Prepared> qat_;
};

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.class_<PythonQuantized>("Quantized")
      .def("save", &PythonQuantized::save)
      .def("export_to", &PythonQuantized::export_to);
  library.class_<PythonPackage>("Package")
      .def(torch::init<std::string>())
      .def("run", &PythonPackage::run)
      .def("input_names", &PythonPackage::input_names)
      .def("output_names", &PythonPackage::output_names);
  library.class_<PythonModel>("Model")
      .def(torch::init<std::string>())
      .def("forward", &PythonModel::forward)
      .def("train", &PythonModel::train)
      .def("to", &PythonModel::to)
      .def("parameters", &PythonModel::parameters)
      .def("buffers", &PythonModel::buffers)
      .def("prepare", &PythonModel::prepare)
      .def("is_prepared", &PythonModel::is_prepared)
      .def("report", &PythonModel::report)
      .def("state", &PythonModel::state)
      .def("set_state", &PythonModel::set_state)
      .def("freeze_bn", &PythonModel::freeze_bn)
      .def("convert", &PythonModel::convert)
      .def("verify", &PythonModel::verify);
}

}  // namespace
}  // namespace samebits
