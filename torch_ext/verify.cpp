#include "torch_ext/verify.h"

#include <algorithm>
#include <bit>
#include <map>
#include <sstream>

#include "graph/package.h"
#include "runtime/interpreter.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_layer.h"
#include "torch_ext/onnx_process.h"

namespace samebits {
namespace {

/// Elements whose bits differ, and the index of the first.
struct Differences {
  std::int64_t count = 0, first = -1;
};
Differences differences(const torch::Tensor& expected, const float* got) {
  Differences result;
  const float* want = expected.const_data_ptr<float>();
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    if (std::bit_cast<std::uint32_t>(want[i]) == std::bit_cast<std::uint32_t>(got[i])) continue;
    if (result.count++ == 0) result.first = i;
  }
  return result;
}

runtime::Array array_of(const torch::Tensor& x_any) {
  const torch::Tensor x = x_any.contiguous();
  return {x.sizes().vec(), {x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel()}};
}

torch::Tensor tensor_of(const runtime::Array& array) {
  return torch::tensor(array.values).reshape(array.shape);
}

/// Which layer's output is the first to differ between the training forward and the package, for one batch.
std::string first_differing_layer(const ModelRef& model, runtime::Interpreter& interpreter,
                                  const torch::Tensor& x) {
  std::map<std::string, torch::Tensor> outputs;
  {
    const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor&, const torch::Tensor& y) {
      outputs.emplace(layer.path(), y.contiguous());
    });
    model.forward(x);
  }
  std::string found;
  std::size_t index = 0;
  interpreter.on_node = [&](const runtime::Node& node, const runtime::Array& y) {
    const auto expected = outputs.find(node.name);
    ++index;
    if (!found.empty() || expected == outputs.end()) return;
    const Differences d = differences(expected->second, y.values.data());
    if (d.count > 0)
      found = "; node " + std::to_string(index) + " (" + node.name + ") is the first to differ, in " +
              std::to_string(d.count) + " of " + std::to_string(y.values.size()) + " elements";
  };
  interpreter.run(array_of(x));
  interpreter.on_node = nullptr;
  return found;
}

void compare(const torch::Tensor& expected, const torch::Tensor& got, VerifyReport& report) {
  if (expected.sizes() != got.sizes())
    throw std::runtime_error("[verify] " + report.file.string() + ": expected logits of shape " +
                             c10::str(expected.sizes()) + ", got " + c10::str(got.sizes()));
  const Differences d = differences(expected, got.const_data_ptr<float>());
  if (d.count > 0 && report.differing == 0) {
    const std::int64_t width =
        std::max<std::int64_t>(expected.numel() / std::max<std::int64_t>(expected.size(0), 1), 1);
    std::ostringstream text;
    text.precision(9);
    text << "image " << report.images + d.first / width << ", logit " << d.first % width << ": expected "
         << expected.flatten()[d.first].item<float>() << ", got " << got.flatten()[d.first].item<float>();
    report.first_difference = text.str();
  }
  report.images += expected.size(0);
  report.logits += expected.numel();
  report.differing += d.count;
  if (expected.dim() == 2 && expected.numel() > 0)
    report.other_decisions += (expected.argmax(1) != got.argmax(1)).sum().item<std::int64_t>();
}

std::string with_commas(std::int64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace

std::string VerifyReport::text() const {
  std::string line = file.filename().string() + ": " + with_commas(differing) + " of " + with_commas(logits) +
                     " logits differ (" + with_commas(images) + " images)";
  if (!first_difference.empty()) line += "; first at " + first_difference;
  return line;
}

VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  VerifyReport report;
  report.file = file;
  std::vector<torch::Tensor> expected;
  for (const torch::Tensor& batch : batches) expected.push_back(model.forward(batch).contiguous());

  if (file.extension() == ".onnx") {
    compare(torch::cat(expected), run_onnx(file, torch::cat(batches)), report);
    return report;
  }
  runtime::Interpreter interpreter(runtime::load_package(file), at::get_num_threads());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const bool was_equal = report.differing == 0;
    compare(expected[i], tensor_of(interpreter.run(array_of(batches[i]))), report);
    if (was_equal && report.differing > 0)
      report.first_difference += first_differing_layer(model, interpreter, batches[i]);
  }
  return report;
}

}  // namespace samebits
