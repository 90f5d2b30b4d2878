// samebits::linear on CUDA: codes by our kernels, their products by cublasLt, or by our own kernel where the
// weight has groups, and the contract's epilogue. Checks of shapes only, because a look at grids would wait
// for the device; a NaN in x or in the weight raises saw_nan.
#include "csrc/layers/linear.h"

#include <torch/autograd.h>
#include <torch/library.h>

#include <array>
#include <cstddef>
#include <map>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/dequantize.h"
#include "csrc/quantize/fake_quantize.h"
#include "kernels/matmul/cuda/epilogue.h"
#include "kernels/matmul/cuda/gemm_int4.h"
#include "kernels/matmul/cuda/gemm_int8.h"
#include "kernels/observe/cuda/observe_quantize.h"
#include "kernels/quantize/cuda/quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

/// What a CUDA tensor cannot have yet.
void check_cuda_layer(const LayerArguments& a) {
  TORCH_CHECK(
      !a.packed.has_value() || !a.packed->defined(),
      "[linear] packed: expected none for a weight on CUDA, got a packed weight; leave it out: the weight "
      "is quantized on the device");
  TORCH_CHECK(a.options.backward == BackwardMode::kFloat32, "[linear] backward: expected f32 on CUDA, got \"",
              backward_text(a.options.backward), "\"");
  const auto check_device = [&](const char* name, const Tensor& tensor) {
    TORCH_CHECK(tensor.device() == a.x.device(), "[linear] ", name, ": expected a tensor on ", a.x.device(),
                ", where x is, got ", tensor.device());
  };
  check_device("weight", a.weight);
  check_device("x_scale", a.x_grid.scale);
  check_device("x_zero_point", a.x_grid.zero_point);
  check_device("weight_scale", a.weight_grid.scale);
  if (a.bias.has_value() && a.bias->defined()) check_device("bias", *a.bias);
  if (a.weight_grid.zero_point.has_value() && a.weight_grid.zero_point->defined())
    check_device("weight_zero_point", *a.weight_grid.zero_point);
}

/// Contiguous grids; zero_point is undefined for symmetric ones.
struct DeviceGrids {
  Tensor scale, zero_point;
  kernels::GridTable table;
};
DeviceGrids device_grids(const char* prefix, const Tensor& scale, const OptionalTensor& zero_point,
                         int64_t qmin, int64_t qmax, int64_t group_size, const Tensor& tensor) {
  DeviceGrids grids{scale.contiguous(), Tensor(), {}};
  if (zero_point.has_value() && zero_point->defined()) grids.zero_point = zero_point->contiguous();
  grids.table =
      grid_table_shape({"linear", prefix, grids.scale, grids.zero_point, qmin, qmax, 0, group_size}, tensor);
  grids.table.scale = grids.scale.const_data_ptr<float>();
  if (grids.zero_point.defined()) grids.table.zero_point = grids.zero_point.const_data_ptr<int32_t>();
  return grids;
}

/// Fills x_codes and clip_mask of `out`; with observe x_range too. Returns the flag of NaNs, int32.
Tensor quantize_input(const LayerArguments& a, const DeviceGrids& grids, LayerOutput& out) {
  const Tensor x = a.x.contiguous();
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = out.x_codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = out.clip_mask.mutable_data_ptr<uint8_t>(),
                                   .fold_relu = a.options.relu_input};
  if (!a.options.observe) {
    const Tensor saw_nan = lowered_flag(x);
    check_launch("linear", kernels::cuda::launch_quantize(args, grids.table, x.numel(),
                                                          saw_nan.mutable_data_ptr<int>(), current_stream()));
    return saw_nan;
  }
  static_assert(sizeof(kernels::MinMax) == 12 && offsetof(kernels::MinMax, saw_nan) == 8);
  const auto bytes = x.options().dtype(at::kByte);
  const Tensor range = at::zeros({sizeof(kernels::MinMax)}, bytes);
  const Tensor partials =
      at::empty({kernels::cuda::kObservePartials * static_cast<int64_t>(sizeof(kernels::MinMax))}, bytes);
  check_launch("linear",
               kernels::cuda::launch_observe_quantize(
                   args, grids.table, x.numel(), static_cast<kernels::MinMax*>(partials.mutable_data_ptr()),
                   static_cast<kernels::MinMax*>(range.mutable_data_ptr()), current_stream()));
  out.x_range = range.narrow(0, 0, 8).view(at::kFloat).clone();
  return range.select(0, 8).to(at::kInt);
}

/// The weight's codes [n][k]; NaNs raise the flag.
Tensor quantize_weight(const Tensor& weight_any, const DeviceGrids& grids, const Tensor& saw_nan) {
  const Tensor weight = weight_any.contiguous();
  const Tensor codes = at::empty_like(weight, weight.options().dtype(at::kChar));
  const kernels::QuantizeArgs args{
      .x = weight.const_data_ptr(), .codes = codes.mutable_data_ptr<int8_t>(), .clip_mask = nullptr};
  check_launch("linear", kernels::cuda::launch_quantize(args, grids.table, weight.numel(),
                                                        saw_nan.mutable_data_ptr<int>(), current_stream()));
  return codes;
}

/// A matrix of codes with zeros behind it, as cublasLt wants it; the matrix itself where it fits.
Tensor padded(const Tensor& codes, int64_t rows, int64_t columns) {
  if (codes.size(0) == rows && codes.size(1) == columns) return codes;
  return at::constant_pad_nd(codes, {0, columns - codes.size(1), 0, rows - codes.size(0)});
}

/// The products of a device. They live as long as the process: at its end there may be no driver any more.
kernels::cuda::Int8Products& products_of(c10::DeviceIndex device) {
  static auto& mutex = *new std::mutex;
  static auto& products = *new std::map<c10::DeviceIndex, kernels::cuda::Int8Products>;
  const std::lock_guard lock(mutex);
  return products[device];
}

/// One call's operands, quantized. x_codes is [m][k].
struct Product {
  const LayerArguments& arguments;
  const DeviceGrids &x_grids, &weight_grids;
  Tensor x_codes, weight_codes;
  int64_t m, n, k;
  const float* bias;
  float* y;
};

void multiply_groups(const Product& p) {
  const kernels::cuda::GemmCodesArgs args{.a = p.x_codes.const_data_ptr<int8_t>(),
                                          .a_stride = p.k,
                                          .m = p.m,
                                          .a_scale = p.x_grids.table.scale,
                                          .a_zero_point = p.x_grids.table.zero_point,
                                          .b = {.codes = p.weight_codes.const_data_ptr(),
                                                .format = kernels::cuda::CodeFormat::kInt8,
                                                .shape = {p.n, p.k, p.arguments.weight_grid.group_size},
                                                .scale = p.weight_grids.table.scale,
                                                .zero_point = p.weight_grids.table.zero_point},
                                          .output = {.y = p.y, .stride = p.n, .bias = p.bias}};
  check_launch("linear", kernels::cuda::launch_gemm_codes(args, current_stream()));
}

void multiply_channels(const Product& p) {
  const int64_t depth = kernels::cuda::padded_gemm_int8(p.k), columns = kernels::cuda::padded_gemm_int8(p.n);
  Tensor weight_codes = p.weight_codes;
  if (p.weight_grids.zero_point.defined())
    weight_codes = weight_codes.sub(p.weight_grids.zero_point.to(at::kChar).reshape({-1, 1}));
  const Tensor a = padded(p.x_codes, p.m, depth), b = padded(weight_codes, columns, depth);
  const Tensor sums = at::empty({p.m, columns}, a.options().dtype(at::kInt));
  const Tensor room =
      at::empty({static_cast<int64_t>(kernels::cuda::kGemmInt8WorkspaceBytes)}, a.options().dtype(at::kByte));
  const std::string error = products_of(a.device().index())
                                .multiply({.a = a.const_data_ptr<int8_t>(),
                                           .b = b.const_data_ptr<int8_t>(),
                                           .sums = sums.mutable_data_ptr<int32_t>(),
                                           .m = p.m,
                                           .n = columns,
                                           .k = depth,
                                           .a_stride = depth,
                                           .b_stride = depth,
                                           .sums_stride = columns},
                                          room.mutable_data_ptr(), current_stream());
  TORCH_CHECK(error.empty(), "[linear] CUDA: expected an int8 product, got: ", error);
  const Tensor correction = at::empty({p.n}, sums.options()),
               scale = at::empty({p.n}, p.x_grids.scale.options());
  check_launch("linear",
               kernels::cuda::launch_layer_terms({.codes = b.const_data_ptr<int8_t>(),
                                                  .codes_stride = depth,
                                                  .n = p.n,
                                                  .k = p.k,
                                                  .weight_scale = p.weight_grids.table.scale,
                                                  .has_one_scale = p.weight_grids.scale.numel() == 1,
                                                  .x_scale = p.x_grids.table.scale,
                                                  .x_zero_point = p.x_grids.table.zero_point,
                                                  .correction = correction.mutable_data_ptr<int32_t>(),
                                                  .scale = scale.mutable_data_ptr<float>()},
                                                 current_stream()));
  check_launch("linear", kernels::cuda::launch_epilogue({.sums = sums.const_data_ptr<int32_t>(),
                                                         .sums_stride = columns,
                                                         .m = p.m,
                                                         .n = p.n,
                                                         .terms = {correction.const_data_ptr<int32_t>(),
                                                                   scale.const_data_ptr<float>(), p.bias},
                                                         .output = p.y,
                                                         .output_stride = p.n},
                                                        current_stream()));
}

LayerOutputs linear_cuda(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                         const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                         const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                         int64_t weight_qmin, int64_t weight_qmax, int64_t group_size,
                         const OptionalTensor& packed, bool relu_input, bool observe,
                         std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  const LayerOptions options{relu_input, observe, backward_mode("linear", backward)};
  const LayerArguments arguments{"linear", x, weight, bias, x_grid, weight_grid, packed, options};
  const std::vector<int64_t> sizes = linear_output_sizes(arguments);
  check_cuda_layer(arguments);
  const c10::cuda::CUDAGuard guard(x.device());
  const DeviceGrids x_grids = device_grids("x_", x_scale, x_zero_point, x_qmin, x_qmax, 0, x);
  const DeviceGrids weight_grids =
      device_grids("weight_", weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size, weight);
  LayerOutput out = empty_layer_output(arguments, sizes);
  const Tensor saw_nan = quantize_input(arguments, x_grids, out);
  if (out.y.numel() > 0) {
    const int64_t n = weight.size(0), k = weight.size(1), m = out.y.numel() / n;
    Tensor bias_holder;
    const Product product{.arguments = arguments,
                          .x_grids = x_grids,
                          .weight_grids = weight_grids,
                          .x_codes = out.x_codes.view({m, k}),
                          .weight_codes = quantize_weight(weight, weight_grids, saw_nan),
                          .m = m,
                          .n = n,
                          .k = k,
                          .bias = bias_data(bias, bias_holder),
                          .y = out.y.mutable_data_ptr<float>()};
    group_size > 0 ? multiply_groups(product) : multiply_channels(product);
  }
  out.saw_nan = saw_nan.to(at::kBool);
  return to_tuple(out);
}

/// The straight-through gradients in float32, of operands that are dequantized on the device.
variable_list backward_f32(const SavedLayer& saved, const Tensor& grad_any, bool wants_x, bool wants_weight,
                           bool wants_bias) {
  const int64_t n = saved.weight.size(0), k = saved.weight.size(1), m = n == 0 ? 0 : grad_any.numel() / n;
  const Tensor grad_y = grad_any.contiguous().reshape({m, n});
  const WeightGrid& grid = saved.weight_grid;
  const Tensor zero_point = grid.zero_point.has_value() && grid.zero_point->defined()
                                ? *grid.zero_point
                                : at::zeros_like(grid.scale, grid.scale.options().dtype(at::kInt));
  const auto [weight, weight_mask, weight_nan] =
      fake_quantize(saved.weight, grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size);
  Tensor grad_x, grad_weight, grad_bias;
  if (wants_x)
    grad_x = fake_quantize_backward(at::mm(grad_y, weight).view(saved.x_codes.sizes()), saved.clip_mask);
  if (wants_weight) {
    const Tensor x = dequantize(saved.x_codes, saved.x_grid.scale, saved.x_grid.zero_point).view({m, k});
    grad_weight = fake_quantize_backward(at::mm(grad_y.t(), x), weight_mask);
  }
  if (wants_bias) grad_bias = grad_y.sum(0);
  return {grad_x, grad_weight, grad_bias, {}};
}

/// linear_backward, for callers of the operator. A gradient that is not wanted is an empty tensor.
std::tuple<Tensor, Tensor, Tensor> linear_backward_cuda(
    const Tensor& grad_y, const Tensor& x_codes, const Tensor& clip_mask, const Tensor& x_scale,
    const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax, const Tensor& weight,
    const Tensor& weight_scale, const OptionalTensor& weight_zero_point, int64_t weight_qmin,
    int64_t weight_qmax, int64_t group_size, std::string_view backward, std::array<bool, 3> wanted) {
  TORCH_CHECK(backward_mode("linear_backward", backward) == BackwardMode::kFloat32,
              "[linear_backward] backward: expected f32 on CUDA, got \"", backward, "\"");
  const c10::cuda::CUDAGuard guard(grad_y.device());
  const SavedLayer saved{
      .x_codes = x_codes,
      .clip_mask = clip_mask,
      .x_grid = {x_scale, x_zero_point, x_qmin, x_qmax},
      .weight = weight,
      .weight_grid = {weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size},
      .backward = BackwardMode::kFloat32};
  const variable_list gradients = backward_f32(saved, grad_y, wanted[0], wanted[1], wanted[2]);
  const auto defined = [&](const Tensor& gradient) {
    return gradient.defined() ? gradient : at::empty({0}, grad_y.options());
  };
  return {defined(gradients[0]), defined(gradients[1]), defined(gradients[2])};
}

struct LinearCudaFunction : torch::autograd::Function<LinearCudaFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                               const OptionalTensor& bias, const LayerArguments& arguments) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const LayerOutput out =
        linear(x, bias, arguments.x_grid,
               {weight, arguments.weight_grid, arguments.packed.value_or(Tensor())}, arguments.options);
    save_layer(context, arguments, out);
    context->mark_non_differentiable({out.x_codes, out.clip_mask, out.saw_nan, out.x_range});
    return {out.y, out.x_codes, out.clip_mask, out.saw_nan, out.x_range};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const SavedLayer saved = saved_layer(context);
    return backward_f32(saved, grads[0], context->needs_input_grad(0), context->needs_input_grad(1),
                        saved.has_bias && context->needs_input_grad(2));
  }
};

LayerOutputs linear_autograd_cuda(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                                  const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin,
                                  int64_t x_qmax, const Tensor& weight_scale,
                                  const OptionalTensor& weight_zero_point, int64_t weight_qmin,
                                  int64_t weight_qmax, int64_t group_size, const OptionalTensor& packed,
                                  bool relu_input, bool observe, std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  const LayerOptions options{relu_input, observe, backward_mode("linear", backward)};
  const LayerArguments arguments{"linear", x, weight, bias, x_grid, weight_grid, packed, options};
  const variable_list out = LinearCudaFunction::apply(x, weight, bias, arguments);
  return {out[0], out[1], out[2], out[3], out[4]};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("linear", linear_cuda);
  library.impl("linear_backward", linear_backward_cuda);
}
// In place of the Autograd kernel of csrc/layers/linear.cpp, whose backward is the CPU's.
TORCH_LIBRARY_IMPL(samebits, AutogradCUDA, library) {
  library.impl("linear", linear_autograd_cuda);
}

}  // namespace samebits::ops
