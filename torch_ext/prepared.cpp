#include <algorithm>
#include <sstream>

#include "torch_ext/prepare.h"
#include "torch_ext/quantizer/layer_quantizer.h"
#include "torch_ext/quantizer/step_flags.h"

namespace samebits {

void calibrate(const ModelRef& model, Prepared& prepared, const std::vector<torch::Tensor>& batches) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  for (const auto& layer : prepared.layers()) layer->input().set_calibrating(true);
  try {
    for (const torch::Tensor& batch : batches) {
      prepared.observe();  // a layer may have seen observe_steps batches by now
      model.forward(batch);
    }
  } catch (...) {
    for (const auto& layer : prepared.layers()) layer->input().set_calibrating(false);
    throw;
  }
  for (const auto& layer : prepared.layers()) layer->input().set_calibrating(false);
  prepared.freeze();
}

Prepared::Prepared() : flags_(std::make_shared<StepFlags>()) {}

void Prepared::check_finite() {
  flags_->check();
}

void Prepared::set_state(QuantizerState state) {
  for (const auto& layer : layers_) layer->set_state(state);
}

void Prepared::freeze_bn(bool frozen) {
  for (const auto& batch_norm : batch_norms_) batch_norm->freeze(frozen);
}

QuantizerState Prepared::state() const {
  QuantizerState least = QuantizerState::kFrozen;
  for (const auto& layer : layers_) least = std::min(least, layer->state());
  return least;
}

std::string Prepared::report() const {
  std::size_t path_width = 5, kind_width = 4, weight_width = 6, input_width = 5;
  for (const LayerStatus& each : statuses_) {
    path_width = std::max(path_width, each.path.size());
    kind_width = std::max(kind_width, each.kind.size());
    weight_width = std::max(weight_width, each.weight.size());
    input_width = std::max(input_width, each.input.size());
  }
  std::ostringstream out;
  const auto cell = [&](const std::string& text, std::size_t width) {
    out << text << std::string(width - text.size() + 2, ' ');
  };
  const auto row = [&](const LayerStatus& each, const std::string& result) {
    cell(each.path, path_width);
    cell(each.kind, kind_width);
    cell(each.weight, weight_width);
    cell(each.input, input_width);
    out << result << '\n';
  };
  row({"layer", "kind", "weight", "input", false, ""}, "result");
  for (const LayerStatus& each : statuses_)
    row(each, each.converted ? (each.note.empty() ? "converted" : "converted (" + each.note + ")")
                             : "skipped (" + each.note + ")");
  if (!unshippable_.empty()) out << "cannot ship\n";
  for (const Unshippable& each : unshippable_) out << "  " << to_text(each) << '\n';
  return out.str();
}

}  // namespace samebits
