// Autocast on the CPU: layers that read float32 alone get their 16-bit arguments widened, which is exact, so
// that a region gives the bits of .float() arguments. The other operators need nothing: they read 16-bit x as
// it is and compute in float32.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace samebits::ops {
namespace {

using c10::IValue;

bool is_16_bit(const at::Tensor& tensor) {
  return tensor.defined() && (tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kHalf);
}

/// The operator with every 16-bit argument in float32, below autocast. Gradients come back in the arguments'
/// own type.
void in_float32(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard below_autocast(c10::DispatchKey::AutocastCPU);
  const std::size_t arguments = op.schema().arguments().size();
  for (std::size_t i = 0; i < arguments; ++i) {
    IValue& argument = torch::jit::peek(*stack, i, arguments);
    if (argument.isTensor() && is_16_bit(argument.toTensor())) argument = argument.toTensor().to(at::kFloat);
  }
  op.callBoxed(stack);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, AutocastCPU, library) {
  for (const char* name : {"adaptive_avg_pool2d",
                           "amax",
                           "apply_function",
                           "argmax",
                           "conv2d",
                           "conv2d.encoded",
                           "eval_batch_norm",
                           "float_conv2d",
                           "float_linear",
                           "linear",
                           "linear.encoded",
                           "log_softmax",
                           "matmul",
                           "max_pool2d",
                           "mean",
                           "native_group_norm",
                           "native_layer_norm",
                           "relu",
                           "rms_norm",
                           "softmax",
                           "sum",
                           "upsample_bilinear2d"})
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&in_float32>());
}

}  // namespace samebits::ops
