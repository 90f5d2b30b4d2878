// Element by element on runs of broadcast operands (kernels/common/broadcast.h): an operand's step is 1, or 0
// where one element stands for all. Bools are 0 or 1.
#pragma once

#include <cstdint>

namespace samebits::kernels {

template <class T>
struct Run {
  const T* data;
  std::int64_t step;
  const T& operator[](std::int64_t i) const { return data[i * step]; }
};

enum class CompareKind { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
/// y[i] = a[i] ? b[i]. With a NaN only kNotEqual is true.
void compare(CompareKind kind, Run<float> a, Run<float> b, std::uint8_t* y, std::int64_t n);
void compare(CompareKind kind, Run<std::int64_t> a, Run<std::int64_t> b, std::uint8_t* y, std::int64_t n);

enum class LogicKind { kAnd, kOr, kXor };
void logical(LogicKind kind, Run<std::uint8_t> a, Run<std::uint8_t> b, std::uint8_t* y, std::int64_t n);

/// y[i] = condition[i] ? a[i] : b[i].
void choose(Run<std::uint8_t> condition, Run<std::uint32_t> a, Run<std::uint32_t> b, std::uint32_t* y,
            std::int64_t n);
void choose(Run<std::uint8_t> condition, Run<std::uint64_t> a, Run<std::uint64_t> b, std::uint64_t* y,
            std::int64_t n);
void choose(Run<std::uint8_t> condition, Run<std::uint8_t> a, Run<std::uint8_t> b, std::uint8_t* y,
            std::int64_t n);

/// As another type: to float32 rounded half to even; to bool, whether it is not 0.
void to_float(const std::int64_t* x, float* y, std::int64_t n);
void to_float(const std::uint8_t* x, float* y, std::int64_t n);
void to_int64(const std::uint8_t* x, std::int64_t* y, std::int64_t n);
void to_bool(const float* x, std::uint8_t* y, std::int64_t n);
void to_bool(const std::int64_t* x, std::uint8_t* y, std::int64_t n);

/// a ? b on integers, which wrap.
enum class IntegerKind { kAdd, kSub, kMul };
void integers(IntegerKind kind, Run<std::int64_t> a, Run<std::int64_t> b, std::int64_t* y, std::int64_t n);

}  // namespace samebits::kernels
