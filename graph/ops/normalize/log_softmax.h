// log_softmax: x - max - log(sum of e^(x - max)) along dimension dim, in the one order of docs/numerics.md
// §15.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct LogSoftmax {
  static constexpr const char* kName = "log_softmax";
  std::int64_t dim = 1;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("dim", self.dim);
  }
  friend bool operator==(const LogSoftmax&, const LogSoftmax&) = default;
};

}  // namespace samebits::graph
