// The CPU, Meta and autograd kernels of a layer, of which a `Layer` says what differs:
//   output_sizes(call)               checks shapes, gives y's
//   compute(call, not_finite)        the forward on the CPU; not_finite: null, or the weight's grids are to
//   be found BackwardCall, backward_call(call, out)   the operator of its gradients, and what it keeps
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include "csrc/layers/layer.h"

namespace samebits::ops {

/// The call with room for the grids that are to be found.
template <class Call>
Call with_weight_grid(Call call) {
  if constexpr (Call::kFindsWeightGrid) {
    check_encoding(Call::kOp, call);
    call.weight_grid = empty_weight_grid(call.weight, call.encoding);
  }
  return call;
}

template <class Layer, class Call>
typename Call::Result layer_cpu(const Call& given) {
  const Call call = with_weight_grid(given);
  if constexpr (Call::kFindsWeightGrid) {
    const at::Tensor not_finite = at::zeros({}, at::kInt);
    const LayerOutput out = Layer::compute(call, not_finite.mutable_data_ptr<int32_t>());
    return encoded_output(call, out, not_finite);
  } else {
    return Layer::compute(call, nullptr);
  }
}

template <class Layer, class Call>
typename Call::Result layer_meta(const Call& given) {
  const Call call = with_weight_grid(given);
  const LayerOutput out = empty_layer_output(call, Layer::output_sizes(call));
  if constexpr (Call::kFindsWeightGrid)
    return encoded_output(call, out, at::empty({}, call.x.options().dtype(at::kInt)));
  else
    return out;
}

/// The given grids and the found ones are the same to backward.
inline const LayerOutput& layer_of(const LayerOutput& out) {
  return out;
}
inline const LayerOutput& layer_of(const EncodedLayerOutput& out) {
  return out.layer;
}

template <class Layer, class Call>
struct LayerFunction : torch::autograd::Function<LayerFunction<Layer, Call>> {
  using Context = torch::autograd::AutogradContext;
  using Variables = torch::autograd::variable_list;

  static Variables forward(Context* context, const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                           const std::optional<at::Tensor>& bias,
                           const std::optional<at::Tensor>& channel_scale, Call call) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    typename Call::Result out = call_operator(call);
    if constexpr (Call::kFindsWeightGrid) {
      call.weight_grid = {out.weight_scale, std::nullopt, call.encoding.qmin, call.encoding.qmax,
                          call.encoding.group_size};
      if (!call.encoding.symmetric) call.weight_grid.zero_point = out.weight_zero_point;
    }
    save_call(context, Layer::backward_call(call, layer_of(out)));
    context->saved_data["has_bias"] = bias.has_value();  // an absent one is no autograd input
    context->saved_data["has_channel_scale"] = channel_scale.has_value();
    Variables outputs = std::apply([](auto&... each) { return Variables{each...}; }, out.fields());
    context->mark_non_differentiable({outputs.begin() + 1, outputs.end()});
    return outputs;
  }

  static Variables backward(Context* context, const Variables& grads) {
    auto call = saved_call<typename Layer::BackwardCall>(context);
    call.grad_y = grads[0];
    const bool has_bias = context->saved_data["has_bias"].toBool();
    call.wanted = {
        context->needs_input_grad(0), context->needs_input_grad(1), has_bias && context->needs_input_grad(2),
        context->saved_data["has_channel_scale"].toBool() && context->needs_input_grad(has_bias ? 3 : 2)};
    const LayerGradients gradients = undefined_where_not_wanted(call_operator(call), call.wanted);
    return {gradients.x, gradients.weight, gradients.bias, gradients.channel_scale, {}};
  }
};

template <class Layer, class Call>
typename Call::Result layer_autograd(const Call& call) {
  const torch::autograd::variable_list values =
      LayerFunction<Layer, Call>::apply(call.x, call.weight, call.bias, call.channel_scale, call);
  typename Call::Result out;
  std::size_t next = 0;
  std::apply([&](auto&... each) { ((each = values[next++]), ...); }, out.fields());
  return out;
}

}  // namespace samebits::ops
