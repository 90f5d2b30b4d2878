#include "graph/ops/shape/pad.h"

#include <algorithm>

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

/// Where the element `place` of a padded dimension of `size` lies; below 0: nowhere.
std::int64_t source(graph::PadMode mode, std::int64_t place, std::int64_t size) {
  switch (mode) {
    case graph::PadMode::kConstant:
      return place < size ? place : -1;
    case graph::PadMode::kReflect:
      return place < 0 ? -place : place < size ? place : 2 * (size - 1) - place;
    case graph::PadMode::kReplicate:
      return std::clamp<std::int64_t>(place, 0, size - 1);
  }
  return -1;
}

void run(const Call& call) {
  const auto& pad = call.node.as<graph::Pad>();
  const View &x = call.x(), &y = call.y();
  const Strides strides = strides_of(x.sizes);
  const std::int8_t code =
      y.is_codes()
          ? static_cast<std::int8_t>(kernels::code_at(kernels::grid_position(pad.value, y.grid()), y.grid()))
          : std::int8_t{0};
  const void* fill = y.is_codes() ? static_cast<const void*>(&code) : &pad.value;
  move(call, {x.data, y.sizes, fill}, [&](std::size_t d, std::int64_t i) {
    const std::int64_t place = source(pad.mode, i - pad.before[d], x.sizes[d]);
    return place < 0 ? -1 : place * strides[d];
  });
}

}  // namespace

const Evaluator& pad() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
