// What a product of int8 matrices on cublasLt needs, without cublasLt: which operands it takes, how they lie
// as the column-major matrices that it knows, and the memory of which algorithm a shape got. Host only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

namespace samebits::kernels::cuda {

/// sums[i][j] = sum over k of a[i][k] * b[j][k]: both operands row-major with the depth in the rows. Pointers
/// are the device's.
struct GemmInt8Operands {
  const std::int8_t* a;  // m rows of k codes
  const std::int8_t* b;  // n rows of k codes
  std::int32_t* sums;    // m rows of n
  std::int64_t m, n, k;
  std::int64_t a_stride, b_stride, sums_stride;  // elements between two rows
};

/// cublasLt multiplies int8 where k, n, all strides and all addresses (in bytes) are multiples of 4; fast
/// where they are multiples of 16.
constexpr std::int64_t kGemmInt8Unit = 4, kGemmInt8FastUnit = 16;

/// The size to pad a depth or a row of sums to, 16 at least. Padded codes are 0 in one operand at least; what
/// is in padded sums does not matter.
constexpr std::int64_t padded_gemm_int8(std::int64_t size) {
  const std::int64_t units = (size + kGemmInt8FastUnit - 1) / kGemmInt8FastUnit;
  return (units == 0 ? 1 : units) * kGemmInt8FastUnit;
}

/// Empty, or why cublasLt would refuse: "expected ..., got ...; ...".
std::string why_not_gemm_int8(const GemmInt8Operands& operands);

/// A column-major matrix.
struct ColumnMajor {
  std::int64_t rows, columns, stride;  // stride: elements between two columns
  friend bool operator==(const ColumnMajor&, const ColumnMajor&) = default;
};

/// The product as cublasLt sees it: result = firstᵀ * second, in int8's only layout ("TN"). Row-major sums
/// are the column-major transposed, so that b comes first.
struct GemmInt8Layouts {
  ColumnMajor first, second, result;  // of b, a and sums
};
GemmInt8Layouts gemm_int8_layouts(const GemmInt8Operands& operands);

/// All that the choice of an algorithm depends on.
struct GemmInt8Shape {
  std::int64_t m, n, k, a_stride, b_stride, sums_stride;
  std::uint32_t alignment;  // bytes, of all addresses: 16 or 4
  friend bool operator==(const GemmInt8Shape&, const GemmInt8Shape&) = default;
};
GemmInt8Shape gemm_int8_shape(const GemmInt8Operands& operands);

struct GemmInt8ShapeHash {
  std::size_t operator()(const GemmInt8Shape& shape) const;
};

/// What was chosen for each shape, chosen once. For any number of threads.
template <class Choice>
class ChoiceByShape {
 public:
  /// choose(choice) fills it in and returns an error's text; nothing is kept when that is not empty.
  template <class Choose>
  std::string find(const GemmInt8Shape& shape, Choice& choice, Choose choose) {
    const std::lock_guard lock(mutex_);
    if (const auto found = choices_.find(shape); found != choices_.end()) {
      choice = found->second;
      return {};
    }
    std::string error = choose(choice);
    if (error.empty()) choices_.emplace(shape, choice);
    return error;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<GemmInt8Shape, Choice, GemmInt8ShapeHash> choices_;
};

}  // namespace samebits::kernels::cuda
