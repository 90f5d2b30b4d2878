#include "export/c_header/c_node.h"
#include "graph/ops/layers/float_conv2d.h"
#include "graph/ops/layers/float_linear.h"
#include "io/error.h"

namespace samebits::c_forms {
namespace {

std::string bias_of(const CNode& at, const std::vector<float>& bias) {
  return bias.empty() ? "0" : at.c.array(at.name("bias"), bias);
}

}  // namespace

void float_linear(const CNode& at) {
  const auto& linear = at.node().as<graph::FloatLinear>();
  const std::int64_t out = linear.weight.shape[0], in = linear.weight.shape[1];
  const std::string weight = at.c.array(at.name("weight"), linear.weight.values);
  const std::string bias = bias_of(at, linear.bias), function = at.c.use("float_linear");
  at.c.line("{");
  at.c.line(io::join("  static const int32_t sizes[3] = {", at.x().count / in, ", ", in, ", ", out, "};"));
  at.c.line("  " + function + "(" + at.x().text + ", sizes, " + weight + ", " + bias + ", " + at.y().text +
            ");");
  at.c.line("}");
}

void float_conv2d(const CNode& at) {
  const auto& conv = at.node().as<graph::FloatConv2d>();
  const graph::Sizes &shape = conv.weight.shape, &x = at.x().sizes, &y = at.y().sizes;
  const std::string weight = at.c.array(at.name("weight"), conv.weight.values);
  const std::string bias = bias_of(at, conv.bias), function = at.c.use("float_conv2d");
  at.c.line("{");
  at.c.line(io::join("  static const ", at.c.prefix(), "_float_convolution conv = {", x[0], ", ", x[1], ", ",
                     x[2], ", ", shape[0], ", ", y[1], ", ", y[2], ", ", shape[2], ", ", shape[3], ", ",
                     c_list(conv.stride), ", ", c_list(conv.padding), ", ", c_list(conv.dilation), ", ",
                     conv.groups, "};"));
  at.c.line("  " + function + "(" + at.x().text + ", &conv, " + weight + ", " + bias + ", " + at.y().text +
            ");");
  at.c.line("}");
}

}  // namespace samebits::c_forms
