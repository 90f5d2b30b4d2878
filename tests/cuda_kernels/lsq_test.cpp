// kernels/quantize/cuda/lsq.cu on the emulator: gradients by bits, from the oracle's terms in the documented
// order, and as on the CPU.
#include "kernels/quantize/cuda/lsq.cu"

#include <map>

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/sum_order.h"

namespace samebits::kernels::cuda {
namespace {

const Granularity kLarge[] = {
    {"per tensor, three chunks and a tail", 1, 1, 12301, 0, 1},
    {"channels of 100 elements: blocks of three passes, the last one short", 8, 3, 100, 0, 24},
    {"channels of more than a chunk, seen twice", 2, 2, 4100, 0, 4},
    {"the last axis: more than one block of passes", 600, 21, 1, 0, 12600},
    {"groups of 32 in many rows", 1, 40, 96, 32, 120},
    {"groups of more than a chunk with a short last one", 1, 2, 10000, 4500, 6},
    {"groups of one element, seen twice", 2, 3, 10, 1, 60},
};

std::vector<Granularity> granularities() {
  std::vector<Granularity> all(std::begin(kLarge), std::end(kLarge));
  all.insert(all.end(), std::begin(kGranularities), std::end(kGranularities));
  return all;
}

/// The three numbers of one element, from lsq.h and the oracle.
struct Term {
  float grad_x = 0.0f;
  double slope = 0.0, clipped = 0.0;
};
Term term_of(float x, float g, const AffineGrid& scalar_grid) {
  if (std::isnan(x)) return {};
  const oracle::Grid grid = to_oracle(scalar_grid);
  if (oracle::is_clipped(x, grid))
    return {0.0f, double{g} * (oracle::code(x, grid) - grid.zero_point), double{g}};
  const double v = oracle::divide(x, grid.scale);
  return {g, double{g} * (oracle::round_half_even(v) - v), 0.0};
}

struct Gradients {
  std::vector<float> grad_x, grad_scale, grad_zero_point;
};

struct Example {
  Granularity shape;
  Grids grids;
  std::vector<float> x, grad_y;

  Example(Random& random, const Granularity& granularity) : shape(granularity), grids(granularity.grids()) {
    x = random_floats(random, shape.elements(), 14.0f);
    grad_y = wide_floats(random, shape.elements());
    x[shape.elements() / 2] = nans().front();
  }
  std::int64_t n() const { return shape.elements(); }
  GridTable host_table() const { return shape.table(grids.scale.data(), grids.zero_point.data()); }
};

/// Terms by grid, slot (block of passes, chunk) and pass; then sums in the order of lsq.h.
Gradients expected_gradients(const Example& example) {
  const Granularity& shape = example.shape;
  using Passes = std::map<std::int64_t, std::pair<std::vector<double>, std::vector<double>>>;
  std::vector<std::map<std::pair<std::int64_t, std::int64_t>, Passes>> slots(shape.grids());
  std::vector<double> counts(shape.grids());
  const std::int64_t passes_per_block = (255 + shape.inner) / shape.inner;
  Gradients expected;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const std::int64_t grid = shape.grid_index(i), column = i % shape.inner;
    const std::int64_t pass = i / (shape.channels * shape.inner);
    const std::int64_t in_run = shape.group_size == 0 ? column : column % shape.group_size;
    const Term term = term_of(example.x[i], example.grad_y[i], example.grids.grid(grid));
    auto& [slopes, clipped] = slots[grid][{pass / passes_per_block, in_run / 4096}][pass];
    slopes.push_back(term.slope);
    clipped.push_back(term.clipped);
    counts[grid] += 1;
    expected.grad_x.push_back(term.grad_x);
  }
  for (std::int64_t grid = 0; grid < shape.grids(); ++grid) {
    double slope = 0.0, clipped = 0.0;
    for (const auto& [key, passes] : slots[grid]) {
      double slot_slope = 0.0, slot_clipped = 0.0;
      for (const auto& [pass, terms] : passes) {
        slot_slope += chunk_sum(terms.first);
        slot_clipped += chunk_sum(terms.second);
      }
      slope += slot_slope;
      clipped += slot_clipped;
    }
    const double factor = 1.0 / std::sqrt(counts[grid] * 127.0);
    expected.grad_scale.push_back(static_cast<float>(slope * factor));
    expected.grad_zero_point.push_back(
        static_cast<float>(-double{example.grids.scale[grid]} * clipped * factor));
  }
  return expected;
}

Gradients cpu_gradients(const Example& example) {
  const GridTable table = example.host_table();
  Gradients cpu{std::vector<float>(example.n()), std::vector<float>(example.shape.grids()),
                std::vector<float>(example.shape.grids())};
  std::vector<LsqSums> sums(LsqLayout(table, example.n()).slots());
  kernels::lsq_backward({example.x.data(), example.grad_y.data(), cpu.grad_x.data()}, table, example.n(),
                        sums.data(), 0, std::ssize(sums));
  kernels::lsq_fold(sums.data(), table, example.n(), cpu.grad_scale.data(), cpu.grad_zero_point.data());
  return cpu;
}

void expect_launch(const Example& example, const Gradients& expected) {
  DeviceTable table(example.shape.table(), example.grids.scale, example.grids.zero_point);
  const std::int64_t n = example.n(), grids = example.shape.grids();
  DeviceArray<float> x("x", example.x), grad_y("grad_y", example.grad_y);
  auto grad_x = DeviceArray<float>::uninitialised("grad_x", n);
  auto sums = DeviceArray<LsqSums>::uninitialised("sums", LsqLayout(table.table, n).slots());
  auto grad_scale = DeviceArray<float>::uninitialised("grad_scale", grids);
  auto grad_zero_point = DeviceArray<float>::uninitialised("grad_zero_point", grids);
  DeviceArray<int> saw_nan("saw_nan", {0});
  ASSERT_EQ(launch_lsq_backward({x.data(), grad_y.data(), grad_x.data()}, table.table, n, sums.data(),
                                grad_scale.data(), grad_zero_point.data(), saw_nan.data(), kStream),
            nullptr);
  EXPECT_EQ(first_difference(grad_x, expected.grad_x), "");
  EXPECT_EQ(first_difference(grad_scale, expected.grad_scale), "");
  EXPECT_EQ(first_difference(grad_zero_point, expected.grad_zero_point), "");
  EXPECT_EQ(saw_nan.values()[0], 1);
}

TEST(CudaLsq, SumsInTheDocumentedOrderForEveryGranularity) {
  Random random(1);
  for (const Granularity& shape : granularities()) {
    SCOPED_TRACE(shape.why);
    const Example example(random, shape);
    const Gradients expected = expected_gradients(example), cpu = cpu_gradients(example);
    EXPECT_EQ(kernels::first_difference(cpu.grad_scale, expected.grad_scale), "");
    EXPECT_EQ(kernels::first_difference(cpu.grad_zero_point, expected.grad_zero_point), "");
    for_each_seed(2, [&] { expect_launch(example, expected); });
  }
}

TEST(CudaLsq, MayWriteOverTheGradientItReadsAndLeaveOutTheZeroPoint) {
  Random random(2);
  for (const Granularity& shape :
       {Granularity{"runs", 2, 3, 50, 0, 6}, Granularity{"columns", 40, 5, 1, 0, 200}}) {
    SCOPED_TRACE(shape.why);
    Example example(random, shape);
    example.x[shape.elements() / 2] = 0.5f;
    const Gradients expected = expected_gradients(example);
    DeviceTable table(shape.table(), example.grids.scale, example.grids.zero_point);
    DeviceArray<float> x("x", example.x), grad("grad", example.grad_y);
    auto sums = DeviceArray<LsqSums>::uninitialised("sums", LsqLayout(table.table, example.n()).slots());
    auto grad_scale = DeviceArray<float>::uninitialised("grad_scale", shape.grids());
    DeviceArray<int> saw_nan("saw_nan", {0});
    launch_lsq_backward({x.data(), grad.data(), grad.data()}, table.table, example.n(), sums.data(),
                        grad_scale.data(), nullptr, saw_nan.data(), kStream);
    EXPECT_EQ(first_difference(grad, expected.grad_x), "");
    EXPECT_EQ(first_difference(grad_scale, expected.grad_scale), "");
    EXPECT_EQ(saw_nan.values()[0], 0);
  }
}

TEST(CudaLsq, Takes16BitTensorsWithTheBitsOfTheCpu) {
  Random random(3);
  for (const FloatType type : k16BitTypes) {
    for (const Granularity& shape :
         {Granularity{"runs", 2, 3, 50, 0, 6}, Granularity{"columns", 40, 5, 1, 0, 200}}) {
      const Grids grids(shape.grids());
      const std::int64_t n = shape.elements();
      const std::vector<std::uint16_t> x = stored_bits(random_floats(random, n, 14.0f), type);
      const std::vector<std::uint16_t> grad_y = stored_bits(random_floats(random, n, 3.0f), type);
      std::vector<std::uint16_t> cpu_grad_x(n);
      std::vector<float> cpu_scale(shape.grids()), cpu_zero_point(shape.grids());
      const GridTable host = shape.table(grids.scale.data(), grids.zero_point.data());
      std::vector<LsqSums> cpu_sums(LsqLayout(host, n).slots());
      kernels::lsq_backward({x.data(), grad_y.data(), cpu_grad_x.data(), type}, host, n, cpu_sums.data(), 0,
                            std::ssize(cpu_sums));
      kernels::lsq_fold(cpu_sums.data(), host, n, cpu_scale.data(), cpu_zero_point.data());
      DeviceTable table(shape.table(), grids.scale, grids.zero_point);
      DeviceArray<std::uint16_t> device_x("x", x), grad("grad", grad_y);
      auto sums = DeviceArray<LsqSums>::uninitialised("sums", cpu_sums.size());
      auto grad_scale = DeviceArray<float>::uninitialised("grad_scale", shape.grids());
      auto grad_zero_point = DeviceArray<float>::uninitialised("grad_zero_point", shape.grids());
      DeviceArray<int> saw_nan("saw_nan", {0});
      launch_lsq_backward({device_x.data(), grad.data(), grad.data(), type}, table.table, n, sums.data(),
                          grad_scale.data(), grad_zero_point.data(), saw_nan.data(), kStream);
      EXPECT_EQ(first_difference(grad, cpu_grad_x), "");
      EXPECT_EQ(first_difference(grad_scale, cpu_scale), "");
      EXPECT_EQ(first_difference(grad_zero_point, cpu_zero_point), "");
    }
  }
}

TEST(CudaLsq, ReturnsTheTextOfARefusedLaunchAndStopsThere) {
  DeviceTable table(AffineGrid{}, 1);
  const std::uint64_t before = cuda_emulator::launch_count();
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_lsq_backward({}, table.table, 1, nullptr, nullptr, nullptr, nullptr, kStream),
               kRefused);
  EXPECT_EQ(cuda_emulator::launch_count(), before + 1);
}

}  // namespace
}  // namespace samebits::kernels::cuda
