#include "kernels/logic/logic.h"

namespace samebits::kernels {
namespace {

template <class T, class To, class F>
void for_each(Run<T> a, Run<T> b, To* y, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<To>(f(a[i], b[i]));
}

template <class T>
void compare_any(CompareKind kind, Run<T> a, Run<T> b, std::uint8_t* y, std::int64_t n) {
  switch (kind) {
    case CompareKind::kEqual:
      return for_each(a, b, y, n, [](T p, T q) { return p == q; });
    case CompareKind::kNotEqual:
      return for_each(a, b, y, n, [](T p, T q) { return p != q; });
    case CompareKind::kLess:
      return for_each(a, b, y, n, [](T p, T q) { return p < q; });
    case CompareKind::kLessOrEqual:
      return for_each(a, b, y, n, [](T p, T q) { return p <= q; });
    case CompareKind::kGreater:
      return for_each(a, b, y, n, [](T p, T q) { return p > q; });
    case CompareKind::kGreaterOrEqual:
      return for_each(a, b, y, n, [](T p, T q) { return p >= q; });
  }
}

template <class T>
void choose_any(Run<std::uint8_t> condition, Run<T> a, Run<T> b, T* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = condition[i] != 0 ? a[i] : b[i];
}

template <class From, class To, class F>
void convert(const From* x, To* y, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<To>(f(x[i]));
}

constexpr auto kAsItIs = [](auto value) { return value; };
constexpr auto kIsNotZero = [](auto value) { return value != 0; };

}  // namespace

void compare(CompareKind kind, Run<float> a, Run<float> b, std::uint8_t* y, std::int64_t n) {
  compare_any(kind, a, b, y, n);
}
void compare(CompareKind kind, Run<std::int64_t> a, Run<std::int64_t> b, std::uint8_t* y, std::int64_t n) {
  compare_any(kind, a, b, y, n);
}

void logical(LogicKind kind, Run<std::uint8_t> a, Run<std::uint8_t> b, std::uint8_t* y, std::int64_t n) {
  using Byte = std::uint8_t;
  switch (kind) {
    case LogicKind::kAnd:
      return for_each(a, b, y, n, [](Byte p, Byte q) { return p & q; });
    case LogicKind::kOr:
      return for_each(a, b, y, n, [](Byte p, Byte q) { return p | q; });
    case LogicKind::kXor:
      return for_each(a, b, y, n, [](Byte p, Byte q) { return p ^ q; });
  }
}

void choose(Run<std::uint8_t> condition, Run<std::uint32_t> a, Run<std::uint32_t> b, std::uint32_t* y,
            std::int64_t n) {
  choose_any(condition, a, b, y, n);
}
void choose(Run<std::uint8_t> condition, Run<std::uint64_t> a, Run<std::uint64_t> b, std::uint64_t* y,
            std::int64_t n) {
  choose_any(condition, a, b, y, n);
}
void choose(Run<std::uint8_t> condition, Run<std::uint8_t> a, Run<std::uint8_t> b, std::uint8_t* y,
            std::int64_t n) {
  choose_any(condition, a, b, y, n);
}

void to_float(const std::int64_t* x, float* y, std::int64_t n) {
  convert(x, y, n, kAsItIs);
}
void to_float(const std::uint8_t* x, float* y, std::int64_t n) {
  convert(x, y, n, kAsItIs);
}
void to_int64(const std::uint8_t* x, std::int64_t* y, std::int64_t n) {
  convert(x, y, n, kAsItIs);
}
void to_bool(const float* x, std::uint8_t* y, std::int64_t n) {
  convert(x, y, n, kIsNotZero);
}
void to_bool(const std::int64_t* x, std::uint8_t* y, std::int64_t n) {
  convert(x, y, n, kIsNotZero);
}

void integers(IntegerKind kind, Run<std::int64_t> a, Run<std::int64_t> b, std::int64_t* y, std::int64_t n) {
  // Unsigned: they wrap.
  const auto wrapping = [&](auto f) {
    for_each(a, b, y, n, [f](std::int64_t p, std::int64_t q) {
      return f(static_cast<std::uint64_t>(p), static_cast<std::uint64_t>(q));
    });
  };
  switch (kind) {
    case IntegerKind::kAdd:
      return wrapping([](std::uint64_t p, std::uint64_t q) { return p + q; });
    case IntegerKind::kSub:
      return wrapping([](std::uint64_t p, std::uint64_t q) { return p - q; });
    case IntegerKind::kMul:
      return wrapping([](std::uint64_t p, std::uint64_t q) { return p * q; });
  }
}

}  // namespace samebits::kernels
