#include "kernels/logic/logic.h"
#include "kernels/move/indexed_copy.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void cast(const View& x, View& y, std::int64_t begin, std::int64_t end) {
  using graph::Dtype;
  const std::int64_t n = end - begin;
  if (x.dtype == y.dtype) {
    const std::int64_t bytes = x.element_bytes();
    kernels::copy_rows(x.data, bytes, y.data, bytes, bytes, begin, end);
  } else if (y.dtype == Dtype::kFloat32) {
    x.dtype == Dtype::kInt64 ? kernels::to_float(x.integers() + begin, y.floats() + begin, n)
                             : kernels::to_float(x.flags() + begin, y.floats() + begin, n);
  } else if (y.dtype == Dtype::kInt64) {
    kernels::to_int64(x.flags() + begin, y.integers() + begin, n);
  } else {
    x.dtype == Dtype::kFloat32 ? kernels::to_bool(x.floats() + begin, y.flags() + begin, n)
                               : kernels::to_bool(x.integers() + begin, y.flags() + begin, n);
  }
}

void run(const Call& call) {
  call.threads.parallel_for(call.x().count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    cast(call.x(), call.y(), begin, end);
  });
}

}  // namespace

const Evaluator& cast() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
