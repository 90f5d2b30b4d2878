#include "export/c_header/c_node.h"
#include "graph/ops/layers/float_conv2d.h"
#include "graph/ops/layers/float_linear.h"
#include "io/error.h"

namespace samebits::c_forms {
namespace {

/// Factors and biases, as the last constants of a call: "factor, bias", 0 where there are none.
template <class Layer>
std::string channel_terms(const CNode& at, const Layer& layer) {
  const auto array = [&](const char* what, std::span<const float> values) {
    return values.empty() ? std::string("0") : at.c.array(at.name(what), values);
  };
  const std::string factor = array("factor", factors_of(layer));
  return factor + ", " + array("bias", layer.bias);
}

}  // namespace

void float_linear(const CNode& at) {
  const auto& linear = at.node().as<graph::FloatLinear>();
  const std::int64_t out = linear.weight.shape[0], in = linear.weight.shape[1];
  const std::string weight = at.c.array(at.name("weight"), linear.weight.values);
  const std::string terms = channel_terms(at, linear), function = at.c.use("float_linear");
  at.c.line("{");
  at.c.line(io::join("  static const int32_t sizes[3] = {", at.x().count / in, ", ", in, ", ", out, "};"));
  at.c.line("  " + function + "(" + at.x().text + ", sizes, " + weight + ", " + terms + ", " + at.y().text +
            ");");
  at.c.line("}");
}

void float_conv2d(const CNode& at) {
  const auto& conv = at.node().as<graph::FloatConv2d>();
  const graph::Sizes &shape = conv.weight.shape, &x = at.x().sizes, &y = at.y().sizes;
  const std::string weight = at.c.array(at.name("weight"), conv.weight.values);
  const std::string terms = channel_terms(at, conv), function = at.c.use("float_conv2d");
  at.c.line("{");
  at.c.line(io::join("  static const ", at.c.prefix(), "_float_convolution conv = {", x[0], ", ", x[1], ", ",
                     x[2], ", ", shape[0], ", ", y[1], ", ", y[2], ", ", shape[2], ", ", shape[3], ", ",
                     c_list(conv.stride), ", ", c_list(conv.padding), ", ", c_list(conv.dilation), ", ",
                     conv.groups, "};"));
  at.c.line("  " + function + "(" + at.x().text + ", &conv, " + weight + ", " + terms + ", " + at.y().text +
            ");");
  at.c.line("}");
}

}  // namespace samebits::c_forms
