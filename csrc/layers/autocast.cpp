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
  for (const char* name : {"conv2d", "conv2d.encoded", "float_conv2d", "float_linear", "linear",
                           "linear.encoded", "matmul", "max_pool2d", "relu", "upsample_bilinear2d"})
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&in_float32>());
}

}  // namespace samebits::ops
