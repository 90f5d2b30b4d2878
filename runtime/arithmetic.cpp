#include "runtime/arithmetic.h"

#include "runtime/broadcast.h"

namespace samebits::runtime {

void run_floats(const Call& call, kernels::Arithmetic kind) {
  const float *a = call.inputs[0]->floats(), *b = call.inputs[1]->floats();
  float* y = call.y().floats();
  for_each_run<2>(call, [&](std::int64_t i, std::int64_t count, const auto& offsets, const auto& steps) {
    kernels::arithmetic({kind, a + offsets[0], b + offsets[1], steps[0], steps[1], y + i}, 0, count);
  });
}

void run_numbers(const Call& call, kernels::Arithmetic floats, kernels::IntegerKind integers) {
  if (call.y().dtype == graph::Dtype::kFloat32) return run_floats(call, floats);
  const std::int64_t *a = call.inputs[0]->integers(), *b = call.inputs[1]->integers();
  std::int64_t* y = call.y().integers();
  for_each_run<2>(call, [&](std::int64_t i, std::int64_t count, const auto& offsets, const auto& steps) {
    kernels::integers(integers, {a + offsets[0], steps[0]}, {b + offsets[1], steps[1]}, y + i, count);
  });
}

}  // namespace samebits::runtime
