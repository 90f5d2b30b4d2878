#include "training/report/layer_report.h"

#include <torch/torch.h>

#include <cmath>
#include <map>

#include "csrc/quantize/quantize.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/prepare.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits::training {
namespace {

/// Sums over batches for one layer.
struct Totals {
  std::int64_t inputs = 0, clipped = 0;
  double signal = 0, noise = 0;
};

/// Bits of value 1 in a mask; the bits behind the last element are 0.
std::int64_t count_ones(const torch::Tensor& mask) {
  std::int64_t ones = 0;
  const std::uint8_t* bytes = mask.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < mask.numel(); ++i) ones += __builtin_popcount(bytes[i]);
  return ones;
}

void add(Totals& totals, const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
  const ops::ActivationGrid grid = layer.input().grid();
  // What a relu removes is not clipped.
  const auto [codes, clip_mask, saw_nan] = ops::quantize(layer.has_relu_input() ? torch::relu(x) : x,
                                                         grid.scale, grid.zero_point, grid.qmin, grid.qmax);
  totals.inputs += x.numel();
  totals.clipped += count_ones(clip_mask);
  const torch::Tensor exact = layer.float_forward(x);
  totals.signal += exact.square().sum(torch::kDouble).item<double>();
  totals.noise += (exact - y).square().sum(torch::kDouble).item<double>();
}

/// Codes of up to 4 bits are two a byte; a float32 scale a grid, and a byte where it has a zero point.
std::int64_t bytes_of(const quant::QuantizedTensor& weight) {
  const auto codes = static_cast<std::int64_t>(weight.codes.size());
  const auto grids =
      static_cast<std::int64_t>(weight.scale.size() * sizeof(float) + weight.zero_point.size());
  return (weight.encoding.bits <= 4 ? (codes + 1) / 2 : codes) + grids;
}

LayerRow row_of(const QATLayer& layer, const Totals& totals) {
  const ops::WeightGrid grid = layer.weight_grid();
  const kernels::AffineGrid input = layer.input().affine_grid();
  LayerRow row{.name = layer.path(),
               .kind = layer.kind(),
               .weight = scheme_text(layer.config().weight),
               .activation = scheme_text(layer.config().activation),
               .input_scale = input.scale,
               .zero_point = input.zero_point,
               .weight_scale_min = grid.scale.min().item<double>(),
               .weight_scale_max = grid.scale.max().item<double>(),
               .size_bytes = bytes_of(layer.quantized_weight()),
               .qmin = grid.qmin,
               .code_counts = code_counts(layer)};
  if (totals.inputs > 0)
    row.clip_percent = 100.0 * static_cast<double>(totals.clipped) / static_cast<double>(totals.inputs);
  if (totals.noise > 0) row.sqnr_db = 10 * std::log10(totals.signal / totals.noise);
  return row;
}

}  // namespace

std::vector<std::int64_t> code_counts(const QATLayer& layer) {
  const WeightConfig& config = layer.config().weight;
  std::vector<std::int64_t> counts(config.qmax() - config.weight_qmin() + 1, 0);
  for (const std::int8_t code : layer.quantized_weight().codes) ++counts[code - config.weight_qmin()];
  return counts;
}

std::vector<LayerRow> layer_rows(const ModelRef& model, const std::vector<std::shared_ptr<QATLayer>>& layers,
                                 const std::vector<torch::Tensor>& batches) {
  std::map<const QATLayer*, Totals> totals;
  {
    const EvalGuard eval(model.module);
    const torch::NoGradGuard no_grad;
    const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
      add(totals[&layer], layer, x, y);
    });
    for (const torch::Tensor& batch : batches) model.forward(batch);
  }
  std::vector<LayerRow> rows;
  for (const auto& layer : layers) rows.push_back(row_of(*layer, totals[layer.get()]));
  return rows;
}

}  // namespace samebits::training
