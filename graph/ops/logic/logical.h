// logical: a ? b of bools, element by element, shapes broadcast. "not" is "xor" with true.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

enum class LogicalKind { kAnd, kOr, kXor };
constexpr const char* kLogicalNames[] = {"and", "or", "xor"};

struct Logical {
  static constexpr const char* kName = "logical";
  LogicalKind kind = LogicalKind::kAnd;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit.choice("kind", self.kind, kLogicalNames);
  }
  friend bool operator==(const Logical&, const Logical&) = default;
};

}  // namespace samebits::graph
