#include "csrc/implementations.h"

#include "kernels/dequantize.h"
#include "kernels/epilogue.h"
#include "kernels/fake_quantize.h"
#include "kernels/gemm_int8.h"
#include "kernels/min_max.h"
#include "kernels/quantize.h"
#include "kernels/relu.h"

namespace samebits::ops {
namespace {

KernelStatus finished(KernelStatus status) {
  for (auto& each : status.implementations) {
    each.used = each.why_not.empty();
    if (each.used) break;
  }
  return status;
}

template <class Function>
std::vector<ImplementationStatus> statuses(std::span<const kernels::Implementation<Function>> list) {
  std::vector<ImplementationStatus> result;
  for (const auto& entry : list) result.push_back({entry.name, false, entry.why_not()});
  return result;
}

}  // namespace

std::vector<KernelStatus> kernel_statuses() {
  std::vector<KernelStatus> list = {
      {"fake_quantize", statuses(kernels::fake_quantize_implementations())},
      {"fake_quantize_backward", statuses(kernels::fake_quantize_backward_implementations())},
      {"quantize", statuses(kernels::quantize_implementations())},
      {"dequantize", statuses(kernels::dequantize_implementations())},
      {"relu", statuses(kernels::relu_implementations())},
      {"min_max", statuses(kernels::min_max_implementations())},
      {"epilogue", statuses(kernels::epilogue_row_implementations())},
      {"gemm_int8", statuses(kernels::gemm_int8_implementations())},
  };
  for (KernelStatus& each : list) each = finished(each);
  return list;
}

}  // namespace samebits::ops
