// cublasLt's integer product: CUBLAS_COMPUTE_32I is exact, so that every algorithm, whatever its order and
// its split of the depth, gives the same bits.
#include "kernels/matmul/cuda/cublas/gemm_int8.h"

#include <cublasLt.h>

namespace samebits::kernels::cuda {
namespace {

std::string text(const char* call, cublasStatus_t status, const GemmInt8Operands& o) {
  if (status == CUBLAS_STATUS_SUCCESS) return {};
  return std::string(call) + ": " + cublasLtGetStatusName(status) + " (" + cublasLtGetStatusString(status) +
         ") for m " + std::to_string(o.m) + ", n " + std::to_string(o.n) + ", k " + std::to_string(o.k);
}

/// The descriptors of one product. They own nothing.
struct Descriptors {
  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t first, second, result;
};

cublasStatus_t describe(const ColumnMajor& matrix, cudaDataType type, cublasLtMatrixLayoutOpaque_t& layout) {
  return cublasLtMatrixLayoutInit(&layout, type, static_cast<std::uint64_t>(matrix.rows),
                                  static_cast<std::uint64_t>(matrix.columns), matrix.stride);
}

std::string describe(const GemmInt8Operands& o, Descriptors& d) {
  const GemmInt8Layouts layouts = gemm_int8_layouts(o);
  cublasStatus_t status = cublasLtMatmulDescInit(&d.product, CUBLAS_COMPUTE_32I, CUDA_R_32I);
  const cublasOperation_t transposed = CUBLAS_OP_T;  // the second operand is not, by default
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmulDescSetAttribute(&d.product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                            sizeof transposed);
  if (status == CUBLAS_STATUS_SUCCESS) status = describe(layouts.first, CUDA_R_8I, d.first);
  if (status == CUBLAS_STATUS_SUCCESS) status = describe(layouts.second, CUDA_R_8I, d.second);
  if (status == CUBLAS_STATUS_SUCCESS) status = describe(layouts.result, CUDA_R_32I, d.result);
  return text("cublasLt descriptors", status, o);
}

/// The first algorithm of cublasLt's heuristics.
std::string choose(cublasLtHandle_t handle, const GemmInt8Operands& o, std::uint32_t alignment,
                   Descriptors& d, cublasLtMatmulAlgo_t& algorithm) {
  cublasLtMatmulPreferenceOpaque_t preference;
  cublasStatus_t status = cublasLtMatmulPreferenceInit(&preference);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    if (status == CUBLAS_STATUS_SUCCESS)
      status = cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kGemmInt8WorkspaceBytes});
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    prefer(attribute, alignment);
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmulAlgoGetHeuristic(handle, &d.product, &d.first, &d.second, &d.result, &d.result,
                                            &preference, 1, &found, &count);
  if (status == CUBLAS_STATUS_SUCCESS && count == 0) status = CUBLAS_STATUS_NOT_SUPPORTED;
  if (status == CUBLAS_STATUS_SUCCESS) status = found.state;
  algorithm = found.algo;
  return text("cublasLtMatmulAlgoGetHeuristic", status, o);
}

}  // namespace

struct Int8Products::State {
  std::mutex mutex;
  cublasLtHandle_t handle = nullptr;
  ChoiceByShape<cublasLtMatmulAlgo_t> algorithms;

  /// Made at the first call, when a device is surely there.
  std::string open(const GemmInt8Operands& o) {
    const std::lock_guard lock(mutex);
    return handle != nullptr ? std::string() : text("cublasLtCreate", cublasLtCreate(&handle), o);
  }
};

Int8Products::Int8Products() : state_(std::make_unique<State>()) {}

Int8Products::~Int8Products() {
  if (state_->handle != nullptr) cublasLtDestroy(state_->handle);
}

std::string Int8Products::multiply(const GemmInt8Operands& o, void* workspace, CUstream_st* stream) {
  if (o.m == 0) return {};
  if (std::string why_not = why_not_gemm_int8(o); !why_not.empty()) return why_not;
  if (std::string error = state_->open(o); !error.empty()) return error;
  Descriptors d;
  if (std::string error = describe(o, d); !error.empty()) return error;
  const GemmInt8Shape shape = gemm_int8_shape(o);
  cublasLtMatmulAlgo_t algorithm;
  std::string error = state_->algorithms.find(shape, algorithm, [&](cublasLtMatmulAlgo_t& choice) {
    return choose(state_->handle, o, shape.alignment, d, choice);
  });
  if (!error.empty()) return error;
  const std::int32_t one = 1, zero = 0;
  return text(
      "cublasLtMatmul",
      cublasLtMatmul(state_->handle, &d.product, &one, o.b, &d.first, o.a, &d.second, &zero, o.sums,
                     &d.result, o.sums, &d.result, &algorithm, workspace, kGemmInt8WorkspaceBytes, stream),
      o);
}

}  // namespace samebits::kernels::cuda
