#include "csrc/common/implementations.h"

#include "kernels/conv/depthwise.h"
#include "kernels/conv/max_pool.h"
#include "kernels/conv/pack_patches.h"
#include "kernels/conv/strided_rows.h"
#include "kernels/float/relu.h"
#include "kernels/formats/codebook.h"
#include "kernels/formats/fake_quantize_float.h"
#include "kernels/formats/mx.h"
#include "kernels/formats/pack_int4.h"
#include "kernels/matmul/epilogue.h"
#include "kernels/matmul/float_gemm.h"
#include "kernels/matmul/gemm_bf16.h"
#include "kernels/matmul/gemm_int4.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/matmul/pack_bf16.h"
#include "kernels/observe/histogram.h"
#include "kernels/observe/min_max.h"
#include "kernels/observe/observe.h"
#include "kernels/observe/observe_quantize.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/gradient.h"
#include "kernels/quantize/lsq.h"
#include "kernels/quantize/quantize.h"
#include "kernels/quantize/stochastic.h"

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
      {"fake_quantize_codebook", statuses(kernels::fake_quantize_codebook_implementations())},
      {"fake_quantize_float", statuses(kernels::fake_quantize_float_implementations())},
      {"decode_float", statuses(kernels::decode_float_implementations())},
      {"fake_quantize_mx", statuses(kernels::fake_quantize_mx_implementations())},
      {"lsq_backward", statuses(kernels::lsq_backward_run_implementations())},
      {"lsq_backward_columns", statuses(kernels::lsq_backward_columns_implementations())},
      {"quantize", statuses(kernels::quantize_implementations())},
      {"quantize_stochastic", statuses(kernels::quantize_stochastic_implementations())},
      {"dequantize", statuses(kernels::dequantize_implementations())},
      {"relu", statuses(kernels::relu_implementations())},
      {"max_pool", statuses(kernels::max_pool_implementations())},
      {"max_pool_codes", statuses(kernels::max_pool_codes_implementations())},
      {"max_pool_backward", statuses(kernels::max_pool_backward_implementations())},
      {"min_max", statuses(kernels::min_max_implementations())},
      {"observe", statuses(kernels::observe_implementations())},
      {"observe_quantize", statuses(kernels::observe_quantize_implementations())},
      {"observe_fake_quantize", statuses(kernels::observe_fake_quantize_implementations())},
      {"histogram", statuses(kernels::histogram_implementations())},
      {"mask_and_sum", statuses(kernels::mask_and_sum_implementations())},
      {"strided_rows", statuses(kernels::copy_strided_rows_implementations())},
      {"pack_patches", statuses(kernels::pack_patches_implementations())},
      {"pack_gradient", statuses(kernels::pack_gradient_implementations())},
      {"pack_codes", statuses(kernels::pack_codes_implementations())},
      {"pack_int4", statuses(kernels::pack_int4_implementations())},
      {"unpack_int4", statuses(kernels::unpack_int4_implementations())},
      {"depthwise", statuses(kernels::depthwise_sums_implementations())},
      {"widen_rows", statuses(kernels::widen_rows_implementations())},
      {"epilogue", statuses(kernels::epilogue_row_implementations())},
      {"epilogue_channel", statuses(kernels::epilogue_channel_implementations())},
      {"epilogue_group", statuses(kernels::epilogue_group_implementations())},
      {"epilogue_groups_end", statuses(kernels::epilogue_groups_end_implementations())},
      {"gemm_int8", statuses(kernels::gemm_int8_implementations())},
      {"gemm_bf16", statuses(kernels::gemm_bf16_implementations())},
      {"gemm_int4", statuses(kernels::gemm_int4_implementations())},
      {"float_gemm", statuses(kernels::float_gemm_implementations())},
      {"gemm_float_int4", statuses(kernels::gemm_float_int4_implementations())},
  };
  for (KernelStatus& each : list) each = finished(each);
  return list;
}

}  // namespace samebits::ops
