// The element-wise part of kernels/lsq.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/lsq.cpp"
#include "kernels/reference/lsq.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/chunked_sum-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

struct LsqVectors {
  Floats slope, number_grad;  // their product is what grad_scale gets
  Floats clipped_grad;
  FloatMask is_nan;
};

/// reference::lsq_term of one vector; stores grad_x.
HWY_INLINE LsqVectors lsq_vectors(const LsqArgs& args, const VectorGrid& grid) {
  const FloatTag f32;
  const auto x = hn::LoadU(f32, args.x), grad = hn::LoadU(f32, args.grad_y);
  const auto position = grid_position(x, grid);
  const auto is_nan = hn::IsNaN(x);
  const auto code = code_at(position, is_nan, grid);
  const auto inside = hn::Eq(position, code);  // not clipped: clamping changed nothing; false for NaN
  const auto steps = hn::Sub(code, grid.zero_point);
  const auto slope = hn::Sub(steps, hn::IfThenElseZero(inside, hn::Div(x, grid.scale)));
  hn::StoreU(hn::IfThenElseZero(inside, grad), f32, args.grad_x);
  const auto number_grad = hn::IfThenZeroElse(is_nan, grad);
  return {slope, number_grad, hn::IfThenZeroElse(inside, number_grad), is_nan};
}

HWY_INLINE LsqArgs from(const LsqArgs& args, std::int64_t i) {
  return {args.x + i, args.grad_y + i, args.grad_x + i};
}

struct RunSums {
  VectorLaneSums slopes, clipped;
  FloatMask nans;

  HWY_INLINE RunSums() : nans(hn::FirstN(FloatTag(), 0)) {}  // no lane yet

  /// Adds 16 elements.
  HWY_INLINE void add(const LsqArgs& args, const VectorGrid& grid) {
    for (int vector = 0; vector < kFloatVectors; ++vector) {
      const LsqVectors terms = lsq_vectors(from(args, vector * kFloatLanes), grid);
      nans = hn::Or(nans, terms.is_nan);
      for (int part = 0; part < kParts; ++part) {
        const auto grad = promote_part(terms.number_grad, part), slope = promote_part(terms.slope, part);
        slopes.add(vector, part, hn::Mul(grad, slope));
        clipped.add(vector, part, promote_part(terms.clipped_grad, part));
      }
    }
  }
};

bool lsq_backward_run(const LsqArgs& args, const AffineGrid& scalar_grid, std::int64_t begin,
                      std::int64_t end, LsqSums& sums) {
  const VectorGrid grid = vector_grid(scalar_grid);
  RunSums run;
  std::int64_t i = begin;
  for (; i + kSumLanes <= end; i += kSumLanes) run.add(from(args, i), grid);
  bool saw_nan = !hn::AllFalse(FloatTag(), run.nans);
  if (i == end) {
    sums.slopes += run.slopes.fold();
    sums.clipped += run.clipped.fold();
    return saw_nan;
  }
  LaneSums slopes = run.slopes.store(), clipped = run.clipped.store();
  for (; i < end; ++i) {
    const reference::LsqTerm term = reference::lsq_term(args.x[i], args.grad_y[i], scalar_grid);
    slopes.add(i - begin, term.slope);
    clipped.add(i - begin, term.clipped);
    saw_nan = saw_nan || std::isnan(args.x[i]);
    args.grad_x[i] = term.grad_x;
  }
  sums.slopes += slopes.fold();
  sums.clipped += clipped.fold();
  return saw_nan;
}

HWY_INLINE VectorGrid grids_of_columns(const LsqColumns& columns, std::int64_t c) {
  const FloatTag f32;
  const hn::Rebind<std::int32_t, FloatTag> i32;
  const auto zero_point = columns.zero_point == nullptr
                              ? hn::Zero(f32)
                              : hn::ConvertTo(f32, hn::LoadU(i32, columns.zero_point + c));
  return {hn::LoadU(f32, columns.scale + c), zero_point, hn::Set(f32, static_cast<float>(columns.qmin)),
          hn::Set(f32, static_cast<float>(columns.qmax))};
}

struct ColumnSums {
  Doubles slopes[kParts], clipped[kParts];
  FloatMask nans;

  HWY_INLINE ColumnSums() : nans(hn::FirstN(FloatTag(), 0)) {  // no lane yet
    for (int part = 0; part < kParts; ++part) slopes[part] = clipped[part] = hn::Zero(DoubleTag());
  }

  /// Adds one element of each column.
  HWY_INLINE void add(const LsqArgs& args, const VectorGrid& grid) {
    const LsqVectors terms = lsq_vectors(args, grid);
    nans = hn::Or(nans, terms.is_nan);
    for (int part = 0; part < kParts; ++part) {
      const auto grad = promote_part(terms.number_grad, part), slope = promote_part(terms.slope, part);
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

bool lsq_backward_columns(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums) {
  auto nans = hn::FirstN(FloatTag(), 0);
  std::int64_t c = 0;
  for (; c + kFloatLanes <= columns.columns; c += kFloatLanes) {
    const VectorGrid grid = grids_of_columns(columns, c);
    ColumnSums column_sums;
    for (std::int64_t pass = 0; pass < columns.passes; ++pass)
      column_sums.add(from(args, columns.begin + pass * columns.stride + c), grid);
    column_sums.store(sums + c);
    nans = hn::Or(nans, column_sums.nans);
  }
  LsqColumns rest = columns;
  rest.scale += c;
  if (rest.zero_point != nullptr) rest.zero_point += c;
  rest.begin += c;
  rest.columns -= c;
  return reference::lsq_backward_columns(args, rest, sums + c) || !hn::AllFalse(FloatTag(), nans);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(lsq_backward_run)> run_list[] = SAMEBITS_IMPLEMENTATIONS(lsq_backward_run);
constexpr Implementation<decltype(lsq_backward_columns)> columns_list[] =
    SAMEBITS_IMPLEMENTATIONS(lsq_backward_columns);
}  // namespace

std::span<const Implementation<decltype(lsq_backward_run)>> lsq_backward_run_implementations() {
  return run_list;
}
std::span<const Implementation<decltype(lsq_backward_columns)>> lsq_backward_columns_implementations() {
  return columns_list;
}

bool lsq_backward_run(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
                      LsqSums& sums) {
  static const auto& chosen = first_usable(lsq_backward_run_implementations());
  return chosen.run(args, grid, begin, end, sums);
}

bool lsq_backward_columns(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums) {
  static const auto& chosen = first_usable(lsq_backward_columns_implementations());
  return chosen.run(args, columns, sums);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
