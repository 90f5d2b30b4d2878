#include <algorithm>
#include <iterator>
#include <string_view>

#include "export/c_header/c_node.h"
#include "io/error.h"

namespace samebits {
namespace {

struct NamedForm {
  std::string_view op;
  CForm* form;
};
constexpr NamedForm kForms[] = {
    {"linear", c_forms::linear},
    {"conv2d", c_forms::conv2d},
    {"float_linear", c_forms::float_linear},
    {"float_conv2d", c_forms::float_conv2d},
    {"relu", c_forms::relu},
    {"clamp", c_forms::clamp},
    {"add", c_forms::add},
    {"flatten", c_forms::flatten},
    {"max_pool2d", c_forms::max_pool2d},
    {"avg_pool2d", c_forms::avg_pool2d},
};

}  // namespace

CForm* c_form_of(const graph::Operator& op) {
  const auto* found =
      std::find_if(std::begin(kForms), std::end(kForms), [&](const NamedForm& f) { return f.op == op.name; });
  return found == std::end(kForms) ? nullptr : found->form;
}

std::string c_form_names() {
  std::string names;
  for (const NamedForm& each : kForms) names += (names.empty() ? "" : ", ") + std::string(each.op);
  return names;
}

std::string CNode::input_codes(const kernels::AffineGrid& grid) const {
  if (x().is_codes()) return x().text;
  c.line("{");
  c.line("  static const " + c.prefix() + "_grid grid = " + CText::grid(grid) + ";");
  c.line(io::join("  ", c.use("quantize"), "(", x().text, ", ", x().count, ", &grid, ", step.scratch,
                  ", &saw_nan);"));
  c.line(io::join("  if (saw_nan) return ", nan_result(node()), ";"));
  c.line("}");
  return step.scratch;
}

}  // namespace samebits
