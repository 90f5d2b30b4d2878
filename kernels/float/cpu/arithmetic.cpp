// kernels/float/arithmetic.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float/cpu/arithmetic.cpp"
#include "kernels/float/reference/arithmetic.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Float = hn::Vec<Tag>;

HWY_INLINE Float or_nan(Float a, Float b, Float y) {
  const hn::RebindToUnsigned<Tag> bits;
  const auto is_nan = hn::Or(hn::IsNaN(a), hn::IsNaN(b));
  return hn::IfThenElse(is_nan, hn::BitCast(Tag(), hn::Set(bits, 0x7FC00000u)), y);
}

template <Arithmetic kKind>
HWY_INLINE Float result(Float a, Float b) {
  if constexpr (kKind == Arithmetic::kAdd) return hn::Add(a, b);
  if constexpr (kKind == Arithmetic::kSub) return hn::Sub(a, b);
  if constexpr (kKind == Arithmetic::kMul) return hn::Mul(a, b);
  if constexpr (kKind == Arithmetic::kDiv) return hn::Div(a, b);
  if constexpr (kKind == Arithmetic::kMinimum) return or_nan(a, b, hn::IfThenElse(hn::Lt(b, a), b, a));
  if constexpr (kKind == Arithmetic::kMaximum) return or_nan(a, b, hn::IfThenElse(hn::Lt(a, b), b, a));
}

template <Arithmetic kKind>
void run(const ArithmeticArgs& args, std::int64_t begin, std::int64_t end) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  const bool a_moves = args.a_step == 1, b_moves = args.b_step == 1;
  const Float one_a = hn::Set(Tag(), args.a[0]), one_b = hn::Set(Tag(), args.b[0]);
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    const Float a = a_moves ? hn::LoadU(Tag(), args.a + i) : one_a;
    const Float b = b_moves ? hn::LoadU(Tag(), args.b + i) : one_b;
    hn::StoreU(result<kKind>(a, b), Tag(), args.y + i);
  }
  reference::arithmetic(args, i, end);
}

}  // namespace

void arithmetic(const ArithmeticArgs& args, std::int64_t begin, std::int64_t end) {
  if (begin >= end) return;
  switch (args.kind) {
    case Arithmetic::kAdd:
      return run<Arithmetic::kAdd>(args, begin, end);
    case Arithmetic::kSub:
      return run<Arithmetic::kSub>(args, begin, end);
    case Arithmetic::kMul:
      return run<Arithmetic::kMul>(args, begin, end);
    case Arithmetic::kDiv:
      return run<Arithmetic::kDiv>(args, begin, end);
    case Arithmetic::kMinimum:
      return run<Arithmetic::kMinimum>(args, begin, end);
    case Arithmetic::kMaximum:
      return run<Arithmetic::kMaximum>(args, begin, end);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(arithmetic, "arithmetic");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
