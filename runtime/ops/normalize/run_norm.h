// How the evaluators of norms compute: kernels/float/normalize.h on all rows of the input.
#pragma once

#include "kernels/float/normalize.h"
#include "runtime/ops/normalize/run_rows.h"

namespace samebits::runtime {

inline void run_norm(const Call& call, const kernels::NormalizeArgs& args) {
  if (call.x().count() == 0) return;
  call.threads.parallel_for(
      call.x().count() / args.n, grain_of(args.n),
      [&](std::int64_t begin, std::int64_t end) { kernels::normalize_rows(args, begin, end); });
}

}  // namespace samebits::runtime
