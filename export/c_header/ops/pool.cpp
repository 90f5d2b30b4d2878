#include "export/c_header/c_node.h"
#include "graph/ops/pool/avg_pool2d.h"
#include "graph/ops/pool/max_pool2d.h"
#include "io/error.h"

namespace samebits::c_forms {
namespace {

/// FUNCTION(x, &pool, [more, ]y).
template <class Pool>
void call(const CNode& at, const char* part, const Pool& window, const graph::Pair& dilation,
          const std::string& more = "") {
  const graph::Sizes &x = at.x().sizes, &y = at.y().sizes;
  const std::string function = at.c.use(part);
  at.c.line("{");
  at.c.line(io::join("  static const ", at.c.prefix(), "_pool pool = {", x[0], ", ", x[1], ", ", x[2], ", ",
                     y[1], ", ", y[2], ", ", c_list(window.kernel), ", ", c_list(window.stride), ", ",
                     c_list(window.padding), ", ", c_list(dilation), "};"));
  at.c.line("  " + function + "(" + at.x().text + ", &pool, " + more + at.y().text + ");");
  at.c.line("}");
}

}  // namespace

void max_pool2d(const CNode& at) {
  const auto& pool = at.node().as<graph::MaxPool2d>();
  if (!at.y().is_codes()) return call(at, "max_pool", pool, pool.dilation);
  const std::int32_t lowest = graph::input_grid(*at.y().reader).qmin;
  call(at, "max_pool_codes", pool, pool.dilation, io::join(lowest, ", "));
}

void avg_pool2d(const CNode& at) {
  const auto& pool = at.node().as<graph::AvgPool2d>();
  if (pool.ceil_mode || !pool.count_include_pad)
    graph::fail_node(at.node(),
                     "expected an average of whole windows with their padding, got another; save a package "
                     "instead");
  call(at, "avg_pool", pool, {1, 1});
}

}  // namespace samebits::c_forms
