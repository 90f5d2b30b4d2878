// cast: x as another dtype: int64 to float32 rounds half to even; true is 1; to bool, what is not 0 (NaN
// too) is true. No float32 to int64.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Cast {
  static constexpr const char* kName = "cast";
  Dtype dtype = Dtype::kFloat32;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit.choice("dtype", self.dtype, kDtypeNames);
  }
  friend bool operator==(const Cast&, const Cast&) = default;
};

}  // namespace samebits::graph
