// compare: a ? b as a bool, element by element, of float32 or int64, shapes broadcast. With a NaN only "ne"
// is true.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

enum class Comparison { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
constexpr const char* kComparisonNames[] = {"eq", "ne", "lt", "le", "gt", "ge"};

struct Compare {
  static constexpr const char* kName = "compare";
  Comparison kind = Comparison::kEqual;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit.choice("kind", self.kind, kComparisonNames);
  }
  friend bool operator==(const Compare&, const Compare&) = default;
};

}  // namespace samebits::graph
