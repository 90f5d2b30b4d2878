// Most windows run vectorized (kernels/conv/max_pool.h), the others as plain loops (kernels/conv/pool.h).
#include "graph/ops/pool/max_pool2d.h"

#include "kernels/conv/max_pool.h"
#include "kernels/conv/pool.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

struct Shapes {
  bool is_plain;
  kernels::MaxPoolShape plain;
  kernels::PoolShape any;
};

Shapes shapes_of(const graph::MaxPool2d& pool, const graph::Sizes& x, const graph::Sizes& y) {
  Shapes shapes{.is_plain = false,
                .plain = {x[2], x[3], pool.kernel[0], pool.kernel[1], pool.stride[0], pool.stride[1],
                          pool.padding[0], pool.padding[1]},
                .any = {{x[2], x[3]}, {y[2], y[3]}, pool.kernel, pool.stride, pool.padding, pool.dilation}};
  shapes.is_plain = pool.dilation == graph::Pair{1, 1} && pool.kernel[0] * pool.kernel[1] <= 255 &&
                    shapes.plain.out_height() == y[2] && shapes.plain.out_width() == y[3];
  return shapes;
}

void run(const Call& call) {
  const View& x = call.x();
  View& y = call.y();
  const auto& pool = call.node.as<graph::MaxPool2d>();
  const Shapes shapes = shapes_of(pool, x.sizes, y.sizes);
  const std::int64_t work = y.sizes[2] * y.sizes[3] * pool.kernel[0] * pool.kernel[1];
  call.threads.parallel_for(
      x.sizes[0] * x.sizes[1], grain_of(work), [&](std::int64_t begin, std::int64_t end) {
        if (x.is_codes() && shapes.is_plain)
          kernels::max_pool_codes(shapes.plain, x.codes(), y.codes(), begin, end);
        else if (x.is_codes())
          kernels::max_pool_any_codes(shapes.any, static_cast<std::int8_t>(y.grid().qmin), x.codes(),
                                      y.codes(), begin, end);
        else if (shapes.is_plain)
          kernels::max_pool(shapes.plain, x.floats(), y.floats(), nullptr, begin, end);
        else
          kernels::max_pool_any(shapes.any, x.floats(), y.floats(), begin, end);
      });
}

}  // namespace

const Evaluator& max_pool2d() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
