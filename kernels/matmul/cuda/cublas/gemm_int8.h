// Exact int32 sums of products of int8 codes by cublasLt, for files that nvcc does not compile. What becomes
// of the sums is kernels/matmul/cuda/epilogue.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/matmul/cuda/cublas/gemm_int8_shape.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// Room that `workspace` must have, aligned to 256 bytes.
constexpr std::size_t kGemmInt8WorkspaceBytes = std::size_t{32} << 20;

/// The products of one device, and the algorithms that their shapes got. For any number of threads.
class Int8Products {
 public:
  Int8Products();
  ~Int8Products();
  Int8Products(const Int8Products&) = delete;
  Int8Products& operator=(const Int8Products&) = delete;

  /// Puts the product on the stream, on the device that is current, which must always be the same one. Waits
  /// for nothing, allocates nothing on the device. Nothing happens where m is 0. The caller keeps k below the
  /// bound where int32 could overflow (max_depth in kernels/matmul/linear.h). Returns an empty text or the
  /// error: which call failed, on which shape, with cublasLt's own words.
  std::string multiply(const GemmInt8Operands& operands, void* workspace, CUstream_st* stream);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace samebits::kernels::cuda
