#include "graph/ops/lookup/quantized_embedding.h"

#include "quant/encode.h"
#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const quant::QuantizedTensor& weight = call.node.as<graph::QuantizedEmbedding>().weight;
  const View& index = call.x();
  check_indices(call, index, weight.shape[0]);
  const std::int64_t columns = weight.shape[1];
  float* const y = call.y().floats();
  call.threads.parallel_for(index.count(), grain_of(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      quant::decode_row(weight, index.integers()[i], y + i * columns);
  });
}

}  // namespace

const Evaluator& quantized_embedding() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
