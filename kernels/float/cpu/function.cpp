// kernels/float/function.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float/cpu/function.cpp"
#include "kernels/float/reference/function.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/float/cpu/vector_ops-inl.h"

#if SAMEBITS_HAS_VECTOR_OPS
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <Function kFunction>
void apply_to(const FunctionArgs& args, std::int64_t begin, std::int64_t end) {
  using Ops = VectorOps;
  const Ops::Float scales[] = {Ops::set(args.scales[0]), Ops::set(args.scales[1]), Ops::set(args.scales[2])};
  std::int64_t i = begin;
  for (; i + Ops::kLanes <= end; i += Ops::kLanes)
    Ops::store(Formulas<Ops>::apply<kFunction>(Ops::load(args.x + i), scales), args.y + i);
  if (i == end) return;
  const int count = static_cast<int>(end - i);
  Ops::store(Formulas<Ops>::apply<kFunction>(Ops::load(args.x + i, count), scales), args.y + i, count);
}

void apply_function(const FunctionArgs& args, std::int64_t begin, std::int64_t end) {
  with_function(args.function, [&](auto function) { apply_to<function()>(args, begin, end); });
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // SAMEBITS_HAS_VECTOR_OPS

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(apply_function, "apply_function");
}  // namespace samebits::kernels
#endif  // HWY_ONCE
