#include "graph/ops/matmul/matmul.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "kernels/matmul/float_matmul.h"
#include "runtime/broadcast.h"

namespace samebits::runtime::ops {
namespace {

/// Arrays of the call in its scratch.
struct Room {
  std::int64_t *a_offsets, *b_offsets, *b_of;
  float* packed;
};

Room room_for(const Call& call, std::int64_t products, std::int64_t b_count, std::int64_t packed) {
  constexpr auto kIndex = static_cast<std::int64_t>(sizeof(std::int64_t)), kLine = std::int64_t{64};
  const std::int64_t indices = ((2 * products + b_count) * kIndex + kLine - 1) / kLine * kLine;
  auto* memory = static_cast<char*>(
      call.scratch.at_least(indices + b_count * packed * static_cast<std::int64_t>(sizeof(float))));
  auto* first = reinterpret_cast<std::int64_t*>(memory);
  return {first, first + products, first + products + b_count, reinterpret_cast<float*>(memory + indices)};
}

/// One b for all of a's rows is one product of many rows.
void merge_products(kernels::FloatMatmul& args, bool has_every_a) {
  if (args.b_count != 1 || !has_every_a) return;
  args.m *= args.products;
  args.products = 1;
}

void multiply(const Call& call, const kernels::FloatMatmul& args) {
  const std::int64_t pack_work = args.k * kernels::kColumnBlock, work = args.m * args.n * args.k;
  call.threads.parallel_for(
      args.pack_items(), grain_of(pack_work),
      [&](std::int64_t begin, std::int64_t end) { kernels::pack_float_matrices(args, begin, end); });
  const std::int64_t threads = call.threads.threads();
  const std::int64_t parts =
      args.products >= threads ? 1 : std::clamp<std::int64_t>(work / kGrain, 1, threads);
  call.threads.parallel_for(args.products * parts, grain_of(work / parts),
                            [&](std::int64_t begin, std::int64_t end) {
                              kernels::multiply_float_matrices(args, parts, begin, end);
                            });
}

std::int64_t product_of(std::span<const std::int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

void run(const Call& call) {
  const View &a = *call.inputs[0], &b = *call.inputs[1];
  View& y = call.y();
  const bool is_transposed = call.node.as<graph::Matmul>().transpose_b;
  const auto batch_of = [](const View& view) { return std::span(view.sizes).first(view.sizes.size() - 2); };
  kernels::FloatMatmul args{};
  args.m = y.sizes[y.sizes.size() - 2];
  args.n = y.sizes.back();
  args.k = a.sizes.back();
  args.products = product_of(batch_of(y));
  args.b_count = product_of(batch_of(b));
  if (y.count() == 0) return;
  const Room room = room_for(call, args.products, args.b_count, kernels::packed_float_size(args.n, args.k));
  const kernels::Broadcast<2> broadcast(batch_of(y), {batch_of(a), batch_of(b)});
  broadcast.for_each_run(0, args.products, [&](std::int64_t i, std::int64_t count, const auto& offsets) {
    for (std::int64_t j = 0; j < count; ++j) {
      room.a_offsets[i + j] = (offsets[0] + j * broadcast.steps()[0]) * args.m * args.k;
      room.b_of[i + j] = offsets[1] + j * broadcast.steps()[1];
    }
  });
  for (std::int64_t j = 0; j < args.b_count; ++j) room.b_offsets[j] = j * args.k * args.n;
  args.a = a.floats();
  args.a_row_stride = args.k;
  args.a_offsets = room.a_offsets;
  args.b = b.floats();
  args.b_row_stride = is_transposed ? 1 : args.n;
  args.b_column_stride = is_transposed ? args.k : 1;
  args.b_offsets = room.b_offsets;
  args.b_of = room.b_of;
  args.packed = room.packed;
  args.y = y.floats();
  merge_products(args, a.count() == args.products * args.m * args.k);
  multiply(call, args);
}

}  // namespace

const Evaluator& matmul() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
