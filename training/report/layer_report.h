// What the report says of each quantized layer, measured on real batches.
#pragma once

#include <torch/types.h>

#include <vector>

#include "torch_ext/forward.h"
#include "torch_ext/modules/qat_layer.h"
#include "training/report/report.h"

namespace samebits::training {

/// One row a layer, in the order of `layers`: grids, share of clipped inputs, signal to quantization noise of
/// the layer's output against the same layer in float on the same input, and how many weights have each code.
/// Runs `batches` in eval mode; all layers must be quantizing or frozen.
std::vector<LayerRow> layer_rows(const ModelRef& model, const std::vector<std::shared_ptr<QATLayer>>& layers,
                                 const std::vector<torch::Tensor>& batches);

/// How many weights have each code qmin..qmax.
std::vector<std::int64_t> code_counts(const QATLayer& layer);

}  // namespace samebits::training
