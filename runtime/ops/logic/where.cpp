#include "kernels/logic/logic.h"
#include "runtime/broadcast.h"

namespace samebits::runtime::ops {
namespace {

/// Values of any type, by the size of their elements.
template <class T>
void run_as(const Call& call) {
  const std::uint8_t* condition = call.inputs[0]->flags();
  const auto *a = static_cast<const T*>(call.inputs[1]->data),
             *b = static_cast<const T*>(call.inputs[2]->data);
  auto* y = static_cast<T*>(call.y().data);
  for_each_run<3>(call, [&](std::int64_t i, std::int64_t count, const auto& offsets, const auto& steps) {
    kernels::choose({condition + offsets[0], steps[0]}, {a + offsets[1], steps[1]},
                    {b + offsets[2], steps[2]}, y + i, count);
  });
}

void run(const Call& call) {
  switch (call.y().dtype) {
    case graph::Dtype::kFloat32:
      return run_as<std::uint32_t>(call);
    case graph::Dtype::kInt64:
      return run_as<std::uint64_t>(call);
    case graph::Dtype::kBool:
      return run_as<std::uint8_t>(call);
  }
}

}  // namespace

const Evaluator& where() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
