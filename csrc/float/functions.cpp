// The operators by name are calls of one, samebits::apply_function, which has the kernels and the gradients.
#include "csrc/float/functions.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

#include "csrc/common/check.h"
#include "csrc/float/function_call.h"

namespace samebits::ops {

using at::Scalar;
using at::Tensor;
using c10::string_view;
using kernels::Function;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct NamedFunction {
  const char* name;
  Function function;
  Tensor (*apply)(const Tensor& x);  // of an operator of that name and this schema; null: it has another
};

template <const char* kName>
Tensor apply_named(const Tensor& x) {
  return apply_function(x, kName, {1.0, 1.0, 1.0});
}

constexpr char kExp[] = "exp", kLog[] = "log", kTanh[] = "tanh", kSigmoid[] = "sigmoid", kErf[] = "erf",
               kSilu[] = "silu", kHardsigmoid[] = "hardsigmoid", kHardswish[] = "hardswish", kSqrt[] = "sqrt",
               kRsqrt[] = "rsqrt";
constexpr NamedFunction kFunctions[] = {
    {kExp, Function::kExp, apply_named<kExp>},
    {kLog, Function::kLog, apply_named<kLog>},
    {kTanh, Function::kTanh, apply_named<kTanh>},
    {kSigmoid, Function::kSigmoid, apply_named<kSigmoid>},
    {kErf, Function::kErf, apply_named<kErf>},
    {kSilu, Function::kSilu, apply_named<kSilu>},
    {"gelu", Function::kGelu, nullptr},
    {"gelu_tanh", Function::kGeluTanh, nullptr},
    {"elu", Function::kElu, nullptr},
    {"leaky_relu", Function::kLeakyRelu, nullptr},
    {kHardsigmoid, Function::kHardsigmoid, apply_named<kHardsigmoid>},
    {kHardswish, Function::kHardswish, apply_named<kHardswish>},
    {kSqrt, Function::kSqrt, apply_named<kSqrt>},
    {kRsqrt, Function::kRsqrt, apply_named<kRsqrt>},
};
static_assert(std::size(kFunctions) == kernels::kFunctions);

Tensor apply_gelu(const Tensor& x, string_view approximate) {
  TORCH_CHECK(approximate == "none" || approximate == "tanh",
              "[gelu] approximate: expected none or tanh, got ", approximate);
  return apply_function(x, approximate == "none" ? "gelu" : "gelu_tanh", {1.0, 1.0, 1.0});
}

Tensor apply_elu(const Tensor& x, const Scalar& alpha, const Scalar& scale, const Scalar& input_scale) {
  const float slope = input_scale.toFloat();
  TORCH_CHECK(slope > 0, "[elu] input_scale: expected a number > 0, got ", input_scale);
  return apply_function(x, "elu", {slope, alpha.toFloat() * scale.toFloat(), scale.toFloat()});
}

Tensor apply_leaky_relu(const Tensor& x, const Scalar& negative_slope) {
  return apply_function(x, "leaky_relu", {negative_slope.toDouble(), 1.0, 1.0});
}

Tensor apply_meta(const Tensor& x, string_view function, at::ArrayRef<double> scales) {
  function_call(x, function, scales);
  return empty_result(x);
}

Tensor apply_cpu(const Tensor& x_any, string_view function, at::ArrayRef<double> scales) {
  kernels::FunctionArgs args = function_call(x_any, function, scales);
  const Tensor x = elements_of(x_any);
  Tensor y = empty_result(x_any);
  args.x = x.const_data_ptr<float>();
  args.y = y.mutable_data_ptr<float>();
  at::parallel_for(0, x.numel(), at::internal::GRAIN_SIZE,
                   [&](int64_t begin, int64_t end) { kernels::apply_function(args, begin, end); });
  return y;
}

// ATen's backward of these two has no derivative of its own: where one is wanted, by operators that have.
Tensor silu_gradient(const Tensor& grad, const Tensor& x) {
  if (!at::GradMode::is_enabled()) return at::silu_backward(grad, x);
  const Tensor sigmoid = at::sigmoid(x);
  return grad * sigmoid * (1 + x * (1 - sigmoid));
}

Tensor hardsigmoid_gradient(const Tensor& grad, const Tensor& x) {
  if (!at::GradMode::is_enabled()) return at::hardsigmoid_backward(grad, x);
  return grad * at::logical_and(x > -3, x < 3) / 6;
}

/// By x or the result y, as ATen has them.
Tensor gradient(const kernels::FunctionArgs& call, const Tensor& grad, const Tensor& x, const Tensor& y) {
  const auto [first, second, third] = call.scales;
  switch (call.function) {
    case Function::kExp:
      return grad * y;
    case Function::kLog:
      return grad / x;
    case Function::kTanh:
      return at::tanh_backward(grad, y);
    case Function::kSigmoid:
      return at::sigmoid_backward(grad, y);
    case Function::kErf:
      return grad * (2 / std::sqrt(M_PI)) * at::exp(-x.square());
    case Function::kSilu:
      return silu_gradient(grad, x);
    case Function::kGelu:
      return at::gelu_backward(grad, x, "none");
    case Function::kGeluTanh:
      return at::gelu_backward(grad, x, "tanh");
    case Function::kElu:
      return at::elu_backward(grad, third == 0 ? 0.0 : second / third, third, first, /*is_result=*/false, x);
    case Function::kLeakyRelu:
      return at::leaky_relu_backward(grad, x, first, /*self_is_result=*/false);
    case Function::kHardsigmoid:
      return hardsigmoid_gradient(grad, x);
    case Function::kHardswish:
      return at::hardswish_backward(grad, x);
    case Function::kSqrt:
      return grad / (2 * y);
    case Function::kRsqrt:
      return -0.5 * grad * y.pow(3);
  }
  return {};
}

bool needs_result(Function function) {
  return function == Function::kExp || function == Function::kTanh || function == Function::kSigmoid ||
         function == Function::kSqrt || function == Function::kRsqrt;
}

struct ApplyFunction : torch::autograd::Function<ApplyFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, string_view function,
                        at::ArrayRef<double> scales) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    Tensor y = ops::apply_function(x, function, scales);
    context->save_for_backward({needs_result(function_call(x, function, scales).function) ? y : x});
    context->saved_data["function"] = std::string(function);
    context->saved_data["scales"] = scales.vec();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor saved = context->get_saved_variables()[0];
    const kernels::FunctionArgs call = function_call(saved, context->saved_data["function"].toStringRef(),
                                                     context->saved_data["scales"].toDoubleVector());
    return {gradient(call, grads[0], saved, saved), Tensor(), Tensor()};
  }
};

Tensor apply_autograd(const Tensor& x, string_view function, at::ArrayRef<double> scales) {
  return ApplyFunction::apply(x, function, scales);
}

}  // namespace

kernels::FunctionArgs function_call(const Tensor& x, string_view function, at::ArrayRef<double> scales) {
  const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&](const NamedFunction& each) { return function == each.name; });
  TORCH_CHECK(found != std::end(kFunctions),
              "[apply_function] function: expected a name such as gelu, got \"", function,
              "\"; docs/reference/operators.md lists them");
  check_dtype(found->name, "x", x, at::kFloat);
  TORCH_CHECK(scales.size() == 3 && std::all_of(scales.begin(), scales.end(),
                                                [](double scale) { return std::isfinite(scale); }),
              "[", found->name, "] expected 3 finite scales, got ", scales);
  kernels::FunctionArgs args{found->function, nullptr, nullptr};
  for (std::size_t i = 0; i < 3; ++i) args.scales[i] = static_cast<float>(scales[i]);
  return args;
}

Tensor empty_result(const Tensor& x) {
  return x.is_non_overlapping_and_dense() ? at::empty_like(x, at::MemoryFormat::Preserve)
                                          : at::empty_like(x, at::MemoryFormat::Contiguous);
}

Tensor elements_of(const Tensor& x) {
  return x.is_non_overlapping_and_dense() ? x : x.contiguous();
}

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("apply_function(Tensor x, str function, float[] scales) -> Tensor");
  for (const NamedFunction& each : kFunctions)
    if (each.apply != nullptr)
      library.def((std::string(each.name) + "(Tensor x) -> Tensor").c_str(), each.apply);
  library.def("gelu(Tensor x, *, str approximate='none') -> Tensor", apply_gelu);
  library.def("elu(Tensor x, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor", apply_elu);
  library.def("leaky_relu(Tensor x, Scalar negative_slope=0.01) -> Tensor", apply_leaky_relu);
}
TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("apply_function", apply_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("apply_function", apply_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("apply_function", apply_autograd);
}

Tensor apply_function(const Tensor& x, string_view function, at::ArrayRef<double> scales) {
  static const auto op = find_op<decltype(apply_function)>("samebits::apply_function");
  return op.call(x, function, scales);
}

#define SAMEBITS_FUNCTION(name)                                              \
  Tensor name(const Tensor& x) {                                             \
    static const auto op = find_op<decltype(ops::name)>("samebits::" #name); \
    return op.call(x);                                                       \
  }
SAMEBITS_FUNCTION(exp)
SAMEBITS_FUNCTION(log)
SAMEBITS_FUNCTION(tanh)
SAMEBITS_FUNCTION(sigmoid)
SAMEBITS_FUNCTION(erf)
SAMEBITS_FUNCTION(silu)
SAMEBITS_FUNCTION(hardsigmoid)
SAMEBITS_FUNCTION(hardswish)
SAMEBITS_FUNCTION(sqrt)
SAMEBITS_FUNCTION(rsqrt)
#undef SAMEBITS_FUNCTION

Tensor gelu(const Tensor& x, string_view approximate) {
  static const auto op = find_op<decltype(gelu)>("samebits::gelu");
  return op.call(x, approximate);
}
Tensor elu(const Tensor& x, const Scalar& alpha, const Scalar& scale, const Scalar& input_scale) {
  static const auto op = find_op<decltype(elu)>("samebits::elu");
  return op.call(x, alpha, scale, input_scale);
}
Tensor leaky_relu(const Tensor& x, const Scalar& negative_slope) {
  static const auto op = find_op<decltype(leaky_relu)>("samebits::leaky_relu");
  return op.call(x, negative_slope);
}

}  // namespace samebits::ops
