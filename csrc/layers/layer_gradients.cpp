// Schemas, CPU and Meta kernels of linear_backward and conv2d_backward. A gradient that is not wanted crosses
// the dispatcher as an empty tensor: operators return no undefined ones.
#include "csrc/layers/layer_gradients.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/conv2d_backward.h"
#include "csrc/layers/linear_backward.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;
using OptionalTensor = std::optional<Tensor>;
using Wanted = std::array<bool, 3>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "linear_backward(Tensor grad_y, Tensor x_codes, Tensor clip_mask, Tensor x_scale, Tensor x_zero_point,"
      " int x_qmin, int x_qmax, Tensor weight, Tensor weight_scale, Tensor? weight_zero_point,"
      " int weight_qmin, int weight_qmax, int group_size, str backward, bool[3] wanted)"
      " -> (Tensor grad_x, Tensor grad_weight, Tensor grad_bias)");
  library.def(
      "conv2d_backward(Tensor grad_y, Tensor x_codes, Tensor clip_mask, Tensor x_scale, Tensor x_zero_point,"
      " int x_qmin, int x_qmax, Tensor weight, Tensor weight_scale, Tensor? weight_zero_point,"
      " int weight_qmin, int weight_qmax, int[2] stride, int[2] padding, int[2] dilation, int groups,"
      " str backward, bool[3] wanted)"
      " -> (Tensor grad_x, Tensor grad_weight, Tensor grad_bias)");
}

namespace {

using LinearSignature = Gradients(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                  int64_t, int64_t, const Tensor&, const Tensor&, const OptionalTensor&,
                                  int64_t, int64_t, int64_t, std::string_view, Wanted);
using Conv2dSignature = Gradients(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                  int64_t, int64_t, const Tensor&, const Tensor&, const OptionalTensor&,
                                  int64_t, int64_t, IntArrayRef, IntArrayRef, IntArrayRef, int64_t,
                                  std::string_view, Wanted);

Gradients empty_where_undefined(const Gradients& gradients, const Tensor& grad_y) {
  const auto defined = [&](const Tensor& gradient) {
    return gradient.defined() ? gradient : at::empty({0}, grad_y.options());
  };
  const auto& [grad_x, grad_weight, grad_bias] = gradients;
  return {defined(grad_x), defined(grad_weight), defined(grad_bias)};
}

std::array<Tensor, 3> undefined_where_not_wanted(const Gradients& gradients, const Wanted& wanted) {
  const auto& [grad_x, grad_weight, grad_bias] = gradients;
  return {wanted[0] ? grad_x : Tensor(), wanted[1] ? grad_weight : Tensor(),
          wanted[2] ? grad_bias : Tensor()};
}

Gradients empty_gradients(const Tensor& grad_y, const Tensor& x_codes, const Tensor& weight,
                          const Wanted& wanted) {
  const auto empty = [&](bool is_wanted, IntArrayRef sizes) {
    return at::empty(is_wanted ? sizes : IntArrayRef({0}), grad_y.options());
  };
  return {empty(wanted[0], x_codes.sizes()), empty(wanted[1], weight.sizes()),
          empty(wanted[2], weight.sizes().slice(0, 1))};
}

/// What forward kept, from an operator's arguments.
SavedLayer saved_layer(const Tensor& x_codes, const Tensor& clip_mask, const ActivationGrid& x_grid,
                       const Tensor& weight, const WeightGrid& weight_grid,
                       const OptionalTensor& weight_zero_point, BackwardMode backward) {
  SavedLayer saved{.x_codes = x_codes,
                   .clip_mask = clip_mask,
                   .x_grid = x_grid,
                   .weight = weight,
                   .weight_grid = weight_grid,
                   .backward = backward};
  saved.weight_grid.zero_point = weight_zero_point;
  return saved;
}

Gradients linear_backward_cpu(const Tensor& grad_y, const Tensor& x_codes, const Tensor& clip_mask,
                              const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin,
                              int64_t x_qmax, const Tensor& weight, const Tensor& weight_scale,
                              const OptionalTensor& weight_zero_point, int64_t weight_qmin,
                              int64_t weight_qmax, int64_t group_size, std::string_view backward,
                              Wanted wanted) {
  const SavedLayer saved = saved_layer(x_codes, clip_mask, {x_scale, x_zero_point, x_qmin, x_qmax}, weight,
                                       {weight_scale, std::nullopt, weight_qmin, weight_qmax, group_size},
                                       weight_zero_point, backward_mode("linear_backward", backward));
  return empty_where_undefined(linear_backward(saved, grad_y, {wanted[0], wanted[1], wanted[2]}), grad_y);
}

Gradients linear_backward_meta(const Tensor& grad_y, const Tensor& x_codes, const Tensor&, const Tensor&,
                               const Tensor&, int64_t, int64_t, const Tensor& weight, const Tensor&,
                               const OptionalTensor&, int64_t, int64_t, int64_t, std::string_view,
                               Wanted wanted) {
  return empty_gradients(grad_y, x_codes, weight, wanted);
}

Gradients conv2d_backward_cpu(const Tensor& grad_y, const Tensor& x_codes, const Tensor& clip_mask,
                              const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin,
                              int64_t x_qmax, const Tensor& weight, const Tensor& weight_scale,
                              const OptionalTensor& weight_zero_point, int64_t weight_qmin,
                              int64_t weight_qmax, IntArrayRef stride, IntArrayRef padding,
                              IntArrayRef dilation, int64_t groups, std::string_view backward,
                              Wanted wanted) {
  const SavedLayer saved = saved_layer(x_codes, clip_mask, {x_scale, x_zero_point, x_qmin, x_qmax}, weight,
                                       {weight_scale, std::nullopt, weight_qmin, weight_qmax},
                                       weight_zero_point, backward_mode("conv2d_backward", backward));
  const Conv2dWindow window{
      {stride[0], stride[1]}, {padding[0], padding[1]}, {dilation[0], dilation[1]}, groups};
  return empty_where_undefined(conv2d_backward(saved, window, grad_y, wanted), grad_y);
}

Gradients conv2d_backward_meta(const Tensor& grad_y, const Tensor& x_codes, const Tensor&, const Tensor&,
                               const Tensor&, int64_t, int64_t, const Tensor& weight, const Tensor&,
                               const OptionalTensor&, int64_t, int64_t, IntArrayRef, IntArrayRef, IntArrayRef,
                               int64_t, std::string_view, Wanted wanted) {
  return empty_gradients(grad_y, x_codes, weight, wanted);
}

}  // namespace

std::array<Tensor, 3> linear_gradients(const SavedLayer& s, const Tensor& grad_y, const Wanted& wanted) {
  static const auto op = find_op<LinearSignature>("samebits::linear_backward");
  return undefined_where_not_wanted(
      op.call(grad_y, s.x_codes, s.clip_mask, s.x_grid.scale, s.x_grid.zero_point, s.x_grid.qmin,
              s.x_grid.qmax, s.weight, s.weight_grid.scale, s.weight_grid.zero_point, s.weight_grid.qmin,
              s.weight_grid.qmax, s.weight_grid.group_size, backward_text(s.backward), wanted),
      wanted);
}

std::array<Tensor, 3> conv2d_gradients(const SavedLayer& s, const Conv2dWindow& window, const Tensor& grad_y,
                                       const Wanted& wanted) {
  static const auto op = find_op<Conv2dSignature>("samebits::conv2d_backward");
  return undefined_where_not_wanted(
      op.call(grad_y, s.x_codes, s.clip_mask, s.x_grid.scale, s.x_grid.zero_point, s.x_grid.qmin,
              s.x_grid.qmax, s.weight, s.weight_grid.scale, s.weight_grid.zero_point, s.weight_grid.qmin,
              s.weight_grid.qmax, window.stride, window.padding, window.dilation, window.groups,
              backward_text(s.backward), wanted),
      wanted);
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("linear_backward", linear_backward_cpu);
  library.impl("conv2d_backward", conv2d_backward_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("linear_backward", linear_backward_meta);
  library.impl("conv2d_backward", conv2d_backward_meta);
}

}  // namespace samebits::ops
