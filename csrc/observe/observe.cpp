// torch operator over kernels/observe/observe.h: schema, checks, CPU, Meta.
#include "csrc/observe/observe.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "csrc/common/check.h"
#include "kernels/observe/observe.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "observe(Tensor x) -> (Tensor min, Tensor max, Tensor sum, Tensor sum_of_squares, Tensor saw_nan)");
}

namespace {

using ObservedTuple = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

ObservedTuple observe_meta(const Tensor& x) {
  float_type("observe", "x", x);
  const auto number = [&](at::ScalarType type) { return at::empty({}, x.options().dtype(type)); };
  return {number(at::kFloat), number(at::kFloat), number(at::kDouble), number(at::kDouble),
          number(at::kBool)};
}

ObservedTuple observe_cpu(const Tensor& x_any) {
  const ObservedTuple out = observe_meta(x_any);
  const kernels::FloatType type = float_type("observe", "x", x_any);
  const Tensor x = x_any.contiguous();
  std::vector<kernels::Observation> chunks(kernels::sum_chunks(x.numel()));
  constexpr int64_t kGrain = at::internal::GRAIN_SIZE / kernels::kSumChunk;
  at::parallel_for(0, static_cast<int64_t>(chunks.size()), kGrain, [&](int64_t first, int64_t last) {
    kernels::observe(x.const_data_ptr(), first * kernels::kSumChunk,
                     std::min(last * kernels::kSumChunk, x.numel()), chunks.data(), type);
  });
  const kernels::Observation all = kernels::fold(chunks);
  const auto& [min, max, sum, sum_of_squares, saw_nan] = out;
  min.fill_(all.range.min);
  max.fill_(all.range.max);
  sum.fill_(all.sum);
  sum_of_squares.fill_(all.sum_of_squares);
  saw_nan.fill_(all.range.saw_nan);
  return out;
}

}  // namespace

Observed observe(const Tensor& x) {
  static const auto op = find_op<ObservedTuple(const Tensor&)>("samebits::observe");
  return std::make_from_tuple<Observed>(op.call(x));
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("observe", observe_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("observe", observe_meta);
}

}  // namespace samebits::ops
