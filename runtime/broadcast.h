// Work on operands of several shapes: the runs of kernels/common/broadcast.h, shared by the threads.
#pragma once

#include "kernels/common/broadcast.h"
#include "runtime/evaluator.h"

namespace samebits::runtime {

/// Calls body(i, count, offsets, steps) for runs that cover y: `count` elements from element i of y on, for
/// which input o stands at offsets[o] and goes on by steps[o]. From several threads.
template <std::size_t kInputs, class Body>
void for_each_run(const Call& call, const Body& body) {
  std::array<std::span<const std::int64_t>, kInputs> sizes;
  for (std::size_t o = 0; o < kInputs; ++o) sizes[o] = call.inputs[o]->sizes;
  const kernels::Broadcast<kInputs> broadcast(call.y().sizes, sizes);
  call.threads.parallel_for(call.y().count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    broadcast.for_each_run(begin, end, [&](std::int64_t i, std::int64_t count, const auto& offsets) {
      body(i, count, offsets, broadcast.steps());
    });
  });
}

}  // namespace samebits::runtime
