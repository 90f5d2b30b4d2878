// The element-wise part of kernels/quantize/lsq.h with Highway. This file is compiled once for every
// instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/lsq.cpp"
#include "kernels/quantize/reference/lsq.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/chunked_sum-inl.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Stores the gradient where it passes, else 0: a selection of bits.
HWY_INLINE void store_passing(BlockMask passes, const float* grad, float* to) {
  hn::StoreU(hn::IfThenElseZero(passes, hn::LoadU(BlockTag(), grad)), BlockTag(), to);
}
template <class Stored>
HWY_INLINE void store_passing(BlockMask passes, const Stored* grad, Stored* to) {
  const hn::Rebind<std::uint32_t, BlockTag> u32;
  const hn::Rebind<std::uint16_t, BlockTag> u16;
  const auto ones = hn::TruncateTo(u16, hn::BitCast(u32, hn::VecFromMask(BlockTag(), passes)));
  const auto bits = hn::LoadU(u16, reinterpret_cast<const std::uint16_t*>(grad));
  hn::StoreU(hn::And(bits, ones), u16, reinterpret_cast<std::uint16_t*>(to));
}

template <class Stored>
struct LsqArrays {
  const Stored* x;
  const Stored* grad_y;
  Stored* grad_x;

  HWY_INLINE explicit LsqArrays(const LsqArgs& args)
      : x(static_cast<const Stored*>(args.x)),
        grad_y(static_cast<const Stored*>(args.grad_y)),
        grad_x(static_cast<Stored*>(args.grad_x)) {}
};

struct LsqVectors {
  BlockFloats slope, grad;  // their product is what grad_scale gets; both 0 for NaN
  BlockFloats clipped_grad;
  BlockMask ordered;
};

/// reference::lsq_element of the vector at element i.
template <class Stored>
HWY_INLINE LsqVectors lsq_vectors(const LsqArrays<Stored>& arrays, std::int64_t i,
                                  const VectorGrid<Division>& grid) {
  const auto quotient = grid.quotient(load_floats(arrays.x + i));
  const auto grad = load_floats(arrays.grad_y + i);
  const Rounded rounded = round_to_grid(quotient, grid);
  const auto steps = hn::Sub(rounded.units, hn::Set(BlockTag(), kUnits));
  const auto slope = hn::Sub(steps, hn::IfThenElseZero(rounded.inside, quotient));
  store_passing(rounded.inside, arrays.grad_y + i, arrays.grad_x + i);
  const auto number_grad = hn::IfThenElseZero(rounded.ordered, grad);
  return {hn::IfThenElseZero(rounded.ordered, slope), number_grad,
          hn::IfThenZeroElse(rounded.inside, number_grad), rounded.ordered};
}

/// Elements [i, end) of a run from `begin`, one by one.
template <class Stored>
HWY_INLINE bool lsq_rest(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t i,
                         std::int64_t end, LaneSums slopes, LaneSums clipped, LsqSums& sums) {
  bool saw_nan = false;
  for (; i < end; ++i) {
    const reference::LsqTerm term = reference::lsq_element<Stored>(args, i, grid);
    slopes.add(i - begin, term.slope);
    clipped.add(i - begin, term.clipped);
    saw_nan = saw_nan || term.is_nan;
  }
  sums.slopes += slopes.fold();
  sums.clipped += clipped.fold();
  return saw_nan;
}

template <class Stored>
HWY_INLINE bool lsq_run_as(const LsqArgs& args, const AffineGrid& scalar_grid, std::int64_t begin,
                           std::int64_t end, LsqSums& sums) {
  if (end - begin < kSumLanes) return reference::lsq_backward_run(args, scalar_grid, begin, end, sums);
  const VectorGrid<Division> grid = divided_grid(scalar_grid);
  const LsqArrays<Stored> arrays(args);
  VectorLaneSums slopes, clipped;
  BlockMask ordered = all_lanes();
  std::int64_t i = begin;
  for (; i + kSumLanes <= end; i += kSumLanes) {
    for (int vector = 0; vector < kFloatVectors; ++vector) {
      const LsqVectors terms = lsq_vectors(arrays, i + vector * kFloatLanes, grid);
      ordered = hn::And(ordered, terms.ordered);
      for (int part = 0; part < kParts; ++part) {
        const auto grad = promote_part(terms.grad, part), slope = promote_part(terms.slope, part);
        slopes.add(vector, part, hn::Mul(grad, slope));
        clipped.add(vector, part, promote_part(terms.clipped_grad, part));
      }
    }
  }
  const bool saw_nan = !hn::AllTrue(BlockTag(), ordered);
  if (i < end)
    return lsq_rest<Stored>(args, scalar_grid, begin, i, end, slopes.store(), clipped.store(), sums) ||
           saw_nan;
  sums.slopes += slopes.fold();
  sums.clipped += clipped.fold();
  return saw_nan;
}

bool lsq_backward_run(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
                      LsqSums& sums) {
  if (args.type == FloatType::kBfloat16) return lsq_run_as<Bfloat16>(args, grid, begin, end, sums);
  if (args.type == FloatType::kFloat16) return lsq_run_as<Float16>(args, grid, begin, end, sums);
  return lsq_run_as<float>(args, grid, begin, end, sums);
}

HWY_INLINE VectorGrid<Division> grids_of_columns(const LsqColumns& columns, std::int64_t c) {
  const hn::Rebind<std::int32_t, BlockTag> i32;
  const auto zero_point =
      columns.zero_point == nullptr ? hn::Zero(i32) : hn::LoadU(i32, columns.zero_point + c);
  return divided(lane_grid(hn::LoadU(BlockTag(), columns.scale + c), zero_point, columns.qmin, columns.qmax));
}

struct ColumnSums {
  Doubles slopes[kParts], clipped[kParts];

  HWY_INLINE ColumnSums() {
    for (int part = 0; part < kParts; ++part) slopes[part] = clipped[part] = hn::Zero(DoubleTag());
  }

  /// Adds one element of each column.
  HWY_INLINE void add(const LsqVectors& terms) {
    for (int part = 0; part < kParts; ++part) {
      const auto grad = promote_part(terms.grad, part), slope = promote_part(terms.slope, part);
      slopes[part] = hn::Add(slopes[part], hn::Mul(grad, slope));
      clipped[part] = hn::Add(clipped[part], promote_part(terms.clipped_grad, part));
    }
  }

  HWY_INLINE void store(LsqSums* sums) const {
    double lanes[2][kFloatLanes];
    for (int part = 0; part < kParts; ++part) {
      hn::StoreU(slopes[part], DoubleTag(), lanes[0] + part * kDoubleLanes);
      hn::StoreU(clipped[part], DoubleTag(), lanes[1] + part * kDoubleLanes);
    }
    for (int lane = 0; lane < kFloatLanes; ++lane) sums[lane] = {lanes[0][lane], lanes[1][lane]};
  }
};

template <class Stored>
HWY_INLINE bool lsq_columns_as(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums) {
  const LsqArrays<Stored> arrays(args);
  BlockMask ordered = all_lanes();
  std::int64_t c = 0;
  for (; c + kFloatLanes <= columns.columns; c += kFloatLanes) {
    const VectorGrid<Division> grid = grids_of_columns(columns, c);
    ColumnSums column_sums;
    for (std::int64_t pass = 0; pass < columns.passes; ++pass) {
      const LsqVectors terms = lsq_vectors(arrays, columns.begin + pass * columns.stride + c, grid);
      column_sums.add(terms);
      ordered = hn::And(ordered, terms.ordered);
    }
    column_sums.store(sums + c);
  }
  LsqColumns rest = columns;
  rest.scale += c;
  if (rest.zero_point != nullptr) rest.zero_point += c;
  rest.begin += c;
  rest.columns -= c;
  return reference::lsq_backward_columns(args, rest, sums + c) || !hn::AllTrue(BlockTag(), ordered);
}

bool lsq_backward_columns(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums) {
  if (args.type == FloatType::kBfloat16) return lsq_columns_as<Bfloat16>(args, columns, sums);
  if (args.type == FloatType::kFloat16) return lsq_columns_as<Float16>(args, columns, sums);
  return lsq_columns_as<float>(args, columns, sums);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(lsq_backward_run, "lsq_backward");

SAMEBITS_HIGHWAY_KERNEL(lsq_backward_columns, "lsq_backward_columns");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
