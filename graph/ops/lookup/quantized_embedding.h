// quantized_embedding: rows of a table of codes at int64 places, as the reals that the codes stand for: (code
// - zero_point) · scale, one float32 product an element. A place outside of the table is an error.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct QuantizedEmbedding {
  static constexpr const char* kName = "quantized_embedding";
  quant::QuantizedTensor weight;  // [rows, columns]

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("weight", self.weight);
  }
  friend bool operator==(const QuantizedEmbedding&, const QuantizedEmbedding&) = default;
};

}  // namespace samebits::graph
