// How evaluators reduce rows to an element each.
#pragma once

#include "graph/ops/reduce/reduced.h"
#include "kernels/float/reduce.h"
#include "runtime/ops/normalize/run_rows.h"

namespace samebits::runtime {

template <class Kernel>
void run_reduced(const Call& call, const Kernel& kernel, const graph::Reduced& reduced,
                 bool is_mean = false) {
  const kernels::ReduceArgs args{call.x().floats(), call.y().floats(),
                                 row_shape(call.x().sizes, reduced.first_dim, reduced.last_dim), is_mean};
  call.threads.parallel_for(call.y().count(), grain_of(args.shape.n),
                            [&](std::int64_t begin, std::int64_t end) { kernel(args, begin, end); });
}

}  // namespace samebits::runtime
