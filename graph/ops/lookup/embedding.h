// embedding: rows of a float32 table at int64 places. A place outside of the table is an error.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Embedding {
  static constexpr const char* kName = "embedding";
  FloatTensor weight;  // [rows, columns]

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("weight", self.weight);
  }
  friend bool operator==(const Embedding&, const Embedding&) = default;
};

}  // namespace samebits::graph
