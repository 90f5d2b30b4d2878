#include "graph/ops/layers/float_conv2d.h"

#include "kernels/conv/float_conv2d.h"
#include "runtime/conv_shape.h"
#include "runtime/evaluator.h"
#include "runtime/packed_weights.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const auto& conv = call.node.as<graph::FloatConv2d>();
  const std::int64_t images = call.x().sizes[0];
  const kernels::Conv2dShape shape = conv_shape(conv, conv.weight.shape, call.x().sizes);
  const kernels::FloatConv2dArgs args{.x = call.x().floats(),
                                      .weight = conv.weight.values.data(),
                                      .bias = data_or_null(conv.bias),
                                      .y = call.y().floats(),
                                      .channel_scale = data_or_null(conv.channel_scale)};
  const std::int64_t items = kernels::float_conv2d_work_items(shape, images);
  const std::int64_t work = products_of(shape, images) / std::max<std::int64_t>(items, 1);
  call.threads.parallel_for(items, grain_of(work), [&](std::int64_t begin, std::int64_t end) {
    kernels::float_conv2d(args, shape, begin, end);
  });
}

}  // namespace

const Evaluator& float_conv2d() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
