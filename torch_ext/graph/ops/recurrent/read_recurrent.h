// How the recurrent layers of a trace become operators.
#pragma once

#include "graph/ops/recurrent/recurrent.h"
#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/modules/qat_recurrent.h"
#include "torch_ext/quantizer/activation_quantizer.h"

namespace samebits::trace_ops {

/// The attributes of operator A where that is what the layer computes in its state; else empty.
template <class A>
std::any recurrent_of_layer(const QATLayer& layer) {
  constexpr bool kIsInteger = std::is_base_of_v<graph::IntegerState, A>;
  const char* const kind = A::kHasCells ? "lstm" : "gru";
  if (kIsInteger ? !is_integer(layer, kind) : !is_float(layer, kind)) return {};
  const RecurrentOptions& options = dynamic_cast<const QATRecurrentImpl&>(layer).options();
  A recurrent;
  if constexpr (kIsInteger) {
    recurrent.state_grid = layer.input().affine_grid();
    recurrent.weight = layer.quantized_weight();
  } else {
    recurrent.weight = float_weight_of(layer);
  }
  recurrent.bias = channels_of(layer).bias;
  recurrent.is_batch_first = options.is_batch_first;
  recurrent.is_reverse = options.is_reverse;
  recurrent.gives_cells = options.gives_cells;
  return recurrent;
}

}  // namespace samebits::trace_ops
