// The contract of kernels/float/function.h as a plain loop.
#include "kernels/float/reference/function.h"

namespace samebits::kernels::reference {

void apply_function(const FunctionArgs& args, std::int64_t begin, std::int64_t end) {
  const float scales[] = {args.scales[0], args.scales[1], args.scales[2]};
  with_function(args.function, [&](auto function) {
    for (std::int64_t i = begin; i < end; ++i)
      args.y[i] = Formulas<ScalarOps>::apply<function()>(args.x[i], scales);
  });
}

}  // namespace samebits::kernels::reference
