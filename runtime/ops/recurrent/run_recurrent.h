// How the recurrent operators compute: at each step the product of the state, then the gates of each row.
// Work is split by rows or columns: no sum is shared.
#pragma once

#include <algorithm>
#include <atomic>
#include <type_traits>

#include "graph/ops/recurrent/recurrent.h"
#include "kernels/float/arithmetic.h"
#include "kernels/float/function.h"
#include "kernels/matmul/float_gemm.h"
#include "kernels/quantize/quantize.h"
#include "runtime/evaluator.h"
#include "runtime/packed_weights.h"

namespace samebits::runtime {

/// Sums of all gates of a row, and what they make of its state, each [hidden].
struct CellRow {
  const float* x;   // what the input gave to the gates
  float* products;  // what the state gave: overwritten
  float *h, *c;     // c: of an LSTM
  std::int64_t hidden;

  void combine(kernels::Arithmetic kind, const float* a, const float* b, float* y, std::int64_t n) const {
    kernels::arithmetic({.kind = kind, .a = a, .b = b, .y = y}, 0, n);
  }
  void apply(kernels::Function function, const float* from, float* to, std::int64_t n) const {
    kernels::apply_function({function, from, to}, 0, n);
  }
};

inline void lstm_cell(const CellRow& row) {
  using enum kernels::Arithmetic;
  using kernels::Function;
  const std::int64_t n = row.hidden;
  float *i = row.products, *f = i + n, *g = f + n, *o = g + n;
  row.combine(kAdd, row.x, i, i, 4 * n);
  row.apply(Function::kSigmoid, i, i, 2 * n);
  row.apply(Function::kTanh, g, g, n);
  row.apply(Function::kSigmoid, o, o, n);
  row.combine(kMul, f, row.c, row.c, n);
  row.combine(kMul, i, g, g, n);
  row.combine(kAdd, row.c, g, row.c, n);
  row.apply(Function::kTanh, row.c, g, n);
  row.combine(kMul, o, g, row.h, n);
}

inline void gru_cell(const CellRow& row) {
  using enum kernels::Arithmetic;
  using kernels::Function;
  const std::int64_t n = row.hidden;
  float *r = row.products, *z = r + n, *fresh = z + n;
  row.combine(kAdd, row.x, r, r, 2 * n);
  row.apply(Function::kSigmoid, r, r, 2 * n);
  row.combine(kMul, r, fresh, fresh, n);
  row.combine(kAdd, row.x + 2 * n, fresh, fresh, n);
  row.apply(Function::kTanh, fresh, fresh, n);
  row.combine(kSub, row.h, fresh, row.h, n);
  row.combine(kMul, row.h, z, row.h, n);
  row.combine(kAdd, row.h, fresh, row.h, n);
}

/// The arrays of one call.
struct RecurrentArrays {
  std::int64_t rows, hidden, gates;  // gates: all of a row
  float *h, *c, *products;           // [rows][hidden], [rows][hidden], [rows][gates]
  std::int8_t* codes;                // of h; null: it stays float
};

// The weight as a product reads it, and y = h · weightᵀ + bias for a region.

struct PackedIntegerState {
  PackedLinear weight;
  explicit PackedIntegerState(const graph::IntegerState& state)
      : weight(state.weight, state.state_grid, state.bias) {}
  void multiply(const RecurrentArrays& arrays, const kernels::GemmRegion& region) const {
    weight.multiply(arrays.codes, {arrays.products, nullptr, nullptr, /*relu=*/false}, region);
  }
};

struct PackedFloatState {
  const graph::FloatState& state;
  kernels::AlignedVector<float> weight;
  explicit PackedFloatState(const graph::FloatState& given) : state(given) {
    const std::int64_t n = state.weight.shape[0], k = state.weight.shape[1];
    weight.resize(static_cast<std::size_t>(kernels::packed_float_size(n, k)));
    kernels::pack_float_b(state.weight.values.data(), n, k, weight.data(), 0, n);
  }
  void multiply(const RecurrentArrays& arrays, const kernels::GemmRegion& region) const {
    kernels::float_gemm({.a = arrays.h,
                         .a_stride = arrays.hidden,
                         .b = weight.data(),
                         .n = arrays.gates,
                         .k = arrays.hidden,
                         .bias = data_or_null(state.bias),
                         .y = arrays.products,
                         .y_stride = arrays.gates},
                        region);
  }
};

template <class A>
constexpr bool kIsInteger = std::is_base_of_v<graph::IntegerState, A>;
template <class A>
using PackedState = std::conditional_t<kIsInteger<A>, PackedIntegerState, PackedFloatState>;

template <class A>
std::shared_ptr<const void> pack_recurrent(const graph::Node& node) {
  return std::make_shared<PackedState<A>>(node.as<A>());
}

/// One call of the operator.
template <class A>
class RecurrentRun {
 public:
  explicit RecurrentRun(const Call& call)
      : call_(call),
        recurrent_(call.node.as<A>()),
        steps_(call.x().sizes[recurrent_.is_batch_first ? 1 : 0]) {
    arrays_.rows = call.x().sizes[recurrent_.is_batch_first ? 0 : 1];
    arrays_.hidden = recurrent_.hidden();
    arrays_.gates = A::kGates * arrays_.hidden;
    const std::int64_t state = arrays_.rows * arrays_.hidden;
    arrays_.h = static_cast<float*>(call.scratch.at_least(state * (4 * (2 + A::kGates) + 1)));
    arrays_.c = arrays_.h + state;
    arrays_.products = arrays_.c + state;
    arrays_.codes =
        kIsInteger<A> ? reinterpret_cast<std::int8_t*>(arrays_.products + state * A::kGates) : nullptr;
  }

  void run() {
    begin();
    for (std::int64_t i = 0; i < steps_; ++i) {
      multiply();
      step(recurrent_.is_reverse ? steps_ - 1 - i : i);
    }
    if (saw_nan_) fail_nan(call_.node);
  }

 private:
  /// The states that came in, or 0.
  void begin() {
    const std::int64_t count = arrays_.rows * arrays_.hidden;
    for (std::size_t state = 0; state < (A::kHasCells ? 2 : 1); ++state) {
      float* to = state == 0 ? arrays_.h : arrays_.c;
      if (call_.inputs.size() > 1)
        std::copy_n(call_.inputs[1 + state]->floats(), count, to);
      else
        std::fill_n(to, count, 0.0f);
    }
    for (std::int64_t row = 0; row < arrays_.rows; ++row) encode(row);
  }

  void multiply() {
    const auto& packed = *static_cast<const PackedState<A>*>(call_.packed);
    const std::int64_t m = arrays_.rows, n = arrays_.gates, grain = kIsInteger<A> ? kProductGrain : kGrain;
    const std::int64_t parts =
        std::clamp<std::int64_t>(m * n * arrays_.hidden / grain, 1, call_.threads.threads());
    call_.threads.parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part)
        packed.multiply(arrays_, kernels::gemm_region(m, n, part, parts));
    });
  }

  void step(std::int64_t place) {
    constexpr std::int64_t kWorkOfGate = 8;  // elements' worth: most gates have an exponential
    call_.threads.parallel_for(arrays_.rows, grain_of(kWorkOfGate * arrays_.gates),
                               [&](std::int64_t begin, std::int64_t end) {
                                 for (std::int64_t row = begin; row < end; ++row) step(place, row);
                               });
  }

  void step(std::int64_t place, std::int64_t row) {
    const std::int64_t at = recurrent_.is_batch_first ? row * steps_ + place : place * arrays_.rows + row;
    const CellRow cell{.x = call_.x().floats() + at * arrays_.gates,
                       .products = arrays_.products + row * arrays_.gates,
                       .h = arrays_.h + row * arrays_.hidden,
                       .c = arrays_.c + row * arrays_.hidden,
                       .hidden = arrays_.hidden};
    A::kHasCells ? lstm_cell(cell) : gru_cell(cell);
    float* y = call_.y().floats() + at * recurrent_.width();
    std::copy_n(cell.h, arrays_.hidden, y);
    if (recurrent_.gives_cells) std::copy_n(cell.c, arrays_.hidden, y + arrays_.hidden);
    encode(row);
  }

  /// The codes of a row's state, for the next step.
  void encode(std::int64_t row) {
    if constexpr (kIsInteger<A>) {
      const std::int64_t first = row * arrays_.hidden;
      const kernels::QuantizeArgs args{
          .x = arrays_.h + first, .codes = arrays_.codes + first, .clip_mask = nullptr};
      if (kernels::quantize_run(args, recurrent_.state_grid, 0, arrays_.hidden)) saw_nan_ = true;
    }
  }

  const Call& call_;
  const A& recurrent_;
  std::int64_t steps_;
  RecurrentArrays arrays_{};
  std::atomic<bool> saw_nan_ = false;
};

template <class A>
void run_recurrent(const Call& call) {
  RecurrentRun<A>(call).run();
}

}  // namespace samebits::runtime
