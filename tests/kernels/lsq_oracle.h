// What kernels/quantize/lsq.h must give: the terms of an element from the oracle, and their sums in the
// documented order, written again.
#pragma once

#include <cmath>
#include <map>
#include <tuple>
#include <vector>

#include "kernels/quantize/lsq.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/sum_order.h"

namespace samebits::kernels::lsq {

struct Term {
  float grad_x = 0.0f;
  double slope = 0.0, clipped = 0.0;
};

/// What lsq.h says of one element, in double: the exact slope, and its exact product with g.
inline Term term_of(float x, float g, const AffineGrid& scalar_grid) {
  if (std::isnan(x)) return {};
  const oracle::Grid grid = to_oracle(scalar_grid);
  if (oracle::is_clipped(x, grid))
    return {0.0f, double{g} * (oracle::code(x, grid) - grid.zero_point), double{g}};
  const double v = oracle::divide(x, grid.scale);
  return {g, double{g} * (oracle::round_half_even(v) - v), 0.0};
}

/// Tensors large enough for several chunks and blocks.
inline const Granularity kLarge[] = {
    {"per tensor, three chunks and a tail", 1, 1, 12301, 0, 1},
    {"channels of more than a chunk", 1, 3, 5000, 0, 3},
    {"channels of 100 elements: blocks of three passes", 8, 3, 100, 0, 24},
    {"channels of more than a chunk, seen twice", 2, 2, 4100, 0, 4},
    {"the last axis: blocks of 256 passes", 600, 21, 1, 0, 12600},
    {"groups of 32 in many rows", 1, 40, 96, 32, 120},
    {"groups of more than a chunk with a short last one", 1, 2, 10000, 4500, 6},
    {"groups of one element, seen twice", 2, 3, 10, 1, 60},
};

inline std::vector<Granularity> granularities() {
  std::vector<Granularity> all(std::begin(kLarge), std::end(kLarge));
  all.insert(all.end(), std::begin(kGranularities), std::end(kGranularities));
  return all;
}

/// A call's arrays and what must come of them.
struct Example {
  Granularity shape;
  Grids grids;
  GridTable table;
  std::vector<float> x, grad_y;

  Example(Random& random, const Granularity& granularity)
      : shape(granularity),
        grids(granularity.grids()),
        table(shape.table(grids.scale.data(), grids.zero_point.data())) {
    x = random_floats(random, shape.elements(), 14.0f);
    grad_y = wide_floats(random, shape.elements());
  }
  std::int64_t n() const { return shape.elements(); }
  Term term(std::int64_t i) const { return term_of(x[i], grad_y[i], grids.grid(shape.grid_index(i))); }
};

struct Gradients {
  std::vector<float> grad_x, grad_scale, grad_zero_point;
  bool saw_nan = false;
};

inline Gradients expect(const Example& example) {
  const Granularity& shape = example.shape;
  Gradients expected{.grad_x = {}, .grad_scale = {}, .grad_zero_point = {}};
  // [grid] -> [block, chunk] -> [pass] -> terms
  using Slots = std::map<std::tuple<std::int64_t, std::int64_t>, std::map<std::int64_t, std::vector<Term>>>;
  std::vector<Slots> slots(shape.grids());
  std::vector<std::int64_t> counts(shape.grids());
  const std::int64_t passes_per_block = shape.inner >= 256 ? 1 : (255 + shape.inner) / shape.inner;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const std::int64_t pass = i / (shape.channels * shape.inner), column = i % shape.inner;
    const std::int64_t in_run = shape.group_size == 0 ? column : column % shape.group_size;
    const std::int64_t grid = shape.grid_index(i);
    slots[grid][{pass / passes_per_block, in_run / 4096}][pass].push_back(example.term(i));
    ++counts[grid];
    expected.grad_x.push_back(example.term(i).grad_x);
    expected.saw_nan |= std::isnan(example.x[i]);
  }
  for (std::int64_t grid = 0; grid < shape.grids(); ++grid) {
    double slope = 0.0, clipped = 0.0;
    for (const auto& [key, passes] : slots[grid]) {
      double slot_slope = 0.0, slot_clipped = 0.0;
      for (const auto& [pass, terms] : passes) {
        std::vector<double> slopes, clips;
        for (const Term& term : terms) {
          slopes.push_back(term.slope);
          clips.push_back(term.clipped);
        }
        slot_slope += chunk_sum(slopes);
        slot_clipped += chunk_sum(clips);
      }
      slope += slot_slope;
      clipped += slot_clipped;
    }
    const double factor = 1.0 / std::sqrt(127.0 * static_cast<double>(counts[grid]));
    expected.grad_scale.push_back(static_cast<float>(slope * factor));
    expected.grad_zero_point.push_back(
        static_cast<float>(-double{example.grids.scale[grid]} * clipped * factor));
  }
  return expected;
}

}  // namespace samebits::kernels::lsq
