// Python's arithmetic on sizes: f(int, int), or f(double, double) if one of the two is a float.
#include <cmath>
#include <functional>
#include <map>

#include "torch_ext/graph/program/step.h"

namespace samebits {
namespace {

using c10::IValue;

double real(const IValue& number) {
  return number.toScalar().toDouble();
}

template <class F>
IValue both(const Stack& a, F f) {
  if (a[0].isInt() && a[1].isInt()) return f(a[0].toInt(), a[1].toInt());
  return f(real(a[0]), real(a[1]));
}

struct FloorDivide {
  std::int64_t operator()(std::int64_t a, std::int64_t b) const {
    TORCH_CHECK(b != 0, "expected a divisor other than 0");
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
  }
  double operator()(double a, double b) const { return std::floor(a / b); }
};

IValue power(const Stack& a) {
  const bool is_integer = a[0].isInt() && a[1].isInt() && a[1].toInt() >= 0;
  if (!is_integer) return std::pow(real(a[0]), real(a[1]));
  std::int64_t result = 1;
  for (std::int64_t i = 0; i < a[1].toInt(); ++i) result *= a[0].toInt();
  return result;
}

template <class Compare>
IValue compared(const Stack& a) {
  return both(a, [](auto x, auto y) { return Compare()(x, y); });
}

}  // namespace

c10::IValue (*size_arithmetic(const std::string& name))(const Stack&) {
  static const std::map<std::string, IValue (*)(const Stack&)> kFunctions = {
      {"_operator.add", [](const Stack& a) { return both(a, std::plus<>()); }},
      {"_operator.sub", [](const Stack& a) { return both(a, std::minus<>()); }},
      {"_operator.mul", [](const Stack& a) { return both(a, std::multiplies<>()); }},
      {"_operator.mod",
       [](const Stack& a) { return both(a, [](auto x, auto y) { return x - y * FloorDivide()(x, y); }); }},
      {"_operator.floordiv", [](const Stack& a) { return both(a, FloorDivide()); }},
      {"_operator.truediv", [](const Stack& a) { return IValue(real(a[0]) / real(a[1])); }},
      {"_operator.neg",
       [](const Stack& a) { return a[0].isInt() ? IValue(-a[0].toInt()) : IValue(-real(a[0])); }},
      {"_operator.pow", power},
      {"_operator.ge", compared<std::greater_equal<>>},
      {"_operator.le", compared<std::less_equal<>>},
      {"_operator.gt", compared<std::greater<>>},
      {"_operator.lt", compared<std::less<>>},
      {"_operator.eq", compared<std::equal_to<>>},
      {"_operator.ne", compared<std::not_equal_to<>>},
      {"torch.sym_float", [](const Stack& a) { return IValue(real(a[0])); }},
  };
  const auto found = kFunctions.find(name);
  return found == kFunctions.end() ? nullptr : found->second;
}

}  // namespace samebits
