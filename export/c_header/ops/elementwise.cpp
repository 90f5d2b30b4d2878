// Operators that keep order compute on codes where their input is codes.
#include "export/c_header/c_node.h"
#include "graph/ops/elementwise/clamp.h"
#include "io/error.h"

namespace samebits::c_forms {
namespace {

/// FUNCTION(x, count, [more, ]y).
void call(const CNode& at, const char* part, const std::string& more = "") {
  at.c.line(io::join(at.c.use(part), "(", at.x().text, ", ", at.x().count, ", ", more, at.y().text, ");"));
}

}  // namespace

void relu(const CNode& at) {
  if (!at.y().is_codes()) return call(at, "relu");
  call(at, "relu_codes", io::join(graph::input_grid(*at.y().reader).zero_point, ", "));
}

void clamp(const CNode& at) {
  const auto& clamp = at.node().as<graph::Clamp>();
  if (!at.y().is_codes()) return call(at, "clamp", c_float(clamp.low) + ", " + c_float(clamp.high) + ", ");
  const kernels::AffineGrid& grid = graph::input_grid(*at.y().reader);
  const auto code = [&](float bound) { return kernels::code_at(kernels::grid_position(bound, grid), grid); };
  call(at, "clamp_codes", io::join(code(clamp.low), ", ", code(clamp.high), ", "));
}

void add(const CNode& at) {
  if (at.x(0).sizes != at.x(1).sizes)
    graph::fail_node(at.node(), "expected two inputs of one shape, got items of ", io::to_text(at.x(0).sizes),
                     " and ", io::to_text(at.x(1).sizes), "; save a package instead");
  at.c.line(io::join(at.c.use("add"), "(", at.x(0).text, ", ", at.x(1).text, ", ", at.x().count, ", ",
                     at.y().text, ");"));
}

void flatten(const CNode& at) {
  if (!at.step.is_alias) call(at, "copy");
}

}  // namespace samebits::c_forms
