// Interpreter::run() allocates nothing once it has seen the shapes: operator new of this whole program
// counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/runtime/arrays.h"

namespace {
std::atomic<std::int64_t> allocations = 0;

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace samebits::runtime {
namespace {

/// What a run allocates after two of the same shapes.
std::int64_t allocations_of(const graph::Graph& graph, std::int64_t batch, int threads,
                            const std::vector<std::int64_t>& limits = {}) {
  Interpreter interpreter(graph, threads);
  const std::vector<Array> x = random_inputs(graph, batch, 3, limits);
  std::vector<Array> y;
  for (int i = 0; i < 2; ++i) interpreter.run(x, y);
  const std::int64_t before = allocations;
  interpreter.run(x, y);
  return allocations - before;
}

/// Convolutions take patches as they go (kernels/conv/conv2d.h).
bool takes_patches(const graph::OpRow& row) {
  return std::string(row.op).find("conv2d") != std::string::npos;
}

TEST(Allocation, IsOverWhenTheShapesAreKnown) {
  const std::int64_t before = allocations;
  ::operator delete(::operator new(1));
  ASSERT_EQ(allocations - before, 1);  // they are counted
  for (const int threads : {1, 3})
    for (const graph::OpRow& row : graph::op_rows())
      for (const graph::OpCase& c : row.cases) {
        if (takes_patches(row)) continue;
        std::vector<std::int64_t> limits;
        for (const graph::InputKind& kind : c.kinds) limits.push_back(kind.limit);
        EXPECT_EQ(allocations_of(graph_of(row, c), 5, threads, limits), 0)
            << row.op << ": " << c.name << ", " << threads << " threads";
      }
}

TEST(Allocation, IsOverForAGraphOfManySteps) {
  std::mt19937 random(3);
  const auto linear = [&](std::int64_t out, std::int64_t in) {
    return random_linear(graph::kWeightKinds[1], out, in, random);
  };
  const graph::Graph graph = graph::graph_of(
      {6, 8},
      {graph::node_of("a", linear(16, 8), {"x"}), graph::node_of("relu", graph::Relu{}, {"a.y"}),
       graph::node_of("heads", graph::Reshape{{graph::kBatch, 6, 2, 8}}, {"relu.y"}),
       graph::node_of("first", graph::Permute{{0, 2, 1, 3}}, {"heads.y"}),
       graph::node_of("scores", graph::Matmul{true}, {"first.y", "first.y"}),
       graph::node_of("sum", graph::Add{}, {"scores.y", "scores.y"}),
       graph::node_of("flat", graph::Flatten{1}, {"sum.y"}), graph::node_of("b", linear(5, 72), {"flat.y"})});
  for (const int threads : {1, 3}) EXPECT_EQ(allocations_of(graph, 7, threads), 0);
}

}  // namespace
}  // namespace samebits::runtime
