// Functions of one float32 without attributes, element by element, whose bits are those of
// kernels/float/function.h; a file each says that they are operators.
#pragma once

#include <algorithm>

#include "graph/operator.h"

namespace samebits::graph {

/// A string literal as a template's argument.
template <std::size_t kSize>
struct FixedName {
  char text[kSize] = {};
  constexpr FixedName(const char (&literal)[kSize]) { std::copy_n(literal, kSize, text); }  // NOLINT
};

template <FixedName kText>
struct PlainFunction {
  static constexpr const char* kName = kText.text;

  template <class Self, class Visitor>
  static void visit(Self&, Visitor&) {}
  friend bool operator==(const PlainFunction&, const PlainFunction&) = default;
};

using Exp = PlainFunction<"exp">;                  // e^x
using Log = PlainFunction<"log">;                  // log x; -infinity of 0, NaN of negative numbers
using Tanh = PlainFunction<"tanh">;                // tanh x
using Sigmoid = PlainFunction<"sigmoid">;          // 1 / (1 + e^-x)
using Erf = PlainFunction<"erf">;                  // the error function
using Silu = PlainFunction<"silu">;                // x sigmoid(x)
using Hardsigmoid = PlainFunction<"hardsigmoid">;  // min(max(x + 3, 0), 6) / 6
using Hardswish = PlainFunction<"hardswish">;      // x min(max(x + 3, 0), 6) / 6
using Sqrt = PlainFunction<"sqrt">;                // the square root
using Rsqrt = PlainFunction<"rsqrt">;              // 1 / sqrt(x)

/// The shape rule of every function: float32 gives float32 of that shape.
template <class A>
TensorType infer_function(const Node& node, const A&, Types inputs) {
  check_float(node, inputs[0]);
  return as_input(inputs);
}

}  // namespace samebits::graph
