// How the evaluators of functions compute: kernels/float/function.h over all elements.
#pragma once

#include "kernels/float/function.h"
#include "runtime/evaluator.h"

namespace samebits::runtime {

inline void run_function(const Call& call, kernels::Function function,
                         std::array<float, 3> scales = {1, 1, 1}) {
  const kernels::FunctionArgs args{function, call.x().floats(), call.y().floats(), scales};
  call.threads.parallel_for(call.x().count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels::apply_function(args, begin, end);
  });
}

/// The evaluator of a function without attributes.
template <kernels::Function kFunction>
void run_plain_function(const Call& call) {
  run_function(call, kFunction);
}

}  // namespace samebits::runtime
