#include "graph/ops/layers/float_linear.h"

#include <algorithm>

#include "kernels/matmul/float_gemm.h"
#include "runtime/evaluator.h"
#include "runtime/packed_weights.h"

namespace samebits::runtime::ops {
namespace {

using Packed = kernels::AlignedVector<float>;

std::shared_ptr<const void> pack(const graph::Node& node) {
  const graph::FloatTensor& weight = node.as<graph::FloatLinear>().weight;
  const std::int64_t n = weight.shape[0], k = weight.shape[1];
  auto packed = std::make_shared<Packed>(static_cast<std::size_t>(kernels::packed_float_size(n, k)));
  kernels::pack_float_b(weight.values.data(), n, k, packed->data(), 0, n);
  return packed;
}

void run(const Call& call) {
  const auto& linear = call.node.as<graph::FloatLinear>();
  const std::int64_t n = linear.weight.shape[0], k = linear.weight.shape[1], m = call.x().count() / k;
  const kernels::FloatGemmArgs args{.a = call.x().floats(),
                                    .a_stride = k,
                                    .b = static_cast<const Packed*>(call.packed)->data(),
                                    .n = n,
                                    .k = k,
                                    .bias = data_or_null(linear.bias),
                                    .y = call.y().floats(),
                                    .y_stride = n,
                                    .channel_scale = data_or_null(linear.channel_scale)};
  const std::int64_t parts = std::clamp<std::int64_t>(m * n * k / kGrain, 1, call.threads.threads());
  call.threads.parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part)
      kernels::float_gemm(args, kernels::gemm_region(m, n, part, parts));
  });
}

}  // namespace

const Evaluator& float_linear() {
  static constexpr Evaluator kEvaluator{run, pack};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
