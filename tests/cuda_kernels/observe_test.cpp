// kernels/observe/cuda/observe.cu on the emulator: range and sums, by bits, in the documented order and as on
// the CPU.
#include "kernels/observe/cuda/observe.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/sum_order.h"

namespace samebits::kernels::cuda {
namespace {

struct Sums {
  double sum = 0.0, sum_of_squares = 0.0;
};

/// The documented order, with each chunk by its own list of terms.
Sums expected_sums(const std::vector<float>& x) {
  Sums total;
  for (std::size_t begin = 0; begin < x.size(); begin += 4096) {
    std::vector<double> terms, squares;
    for (std::size_t i = begin; i < std::min(begin + 4096, x.size()); ++i) {
      terms.push_back(std::isnan(x[i]) ? 0.0 : x[i]);
      squares.push_back(terms.back() * terms.back());
    }
    total.sum += chunk_sum(terms);
    total.sum_of_squares += chunk_sum(squares);
  }
  return total;
}

Observation cpu_observation(const std::vector<float>& x) {
  std::vector<Observation> chunks(sum_chunks(std::ssize(x)));
  kernels::observe(x.data(), 0, std::ssize(x), chunks.data());
  return kernels::fold(chunks);
}

void expect_equal(const Observation& got, const Observation& expected) {
  EXPECT_EQ(kernels::bits(got.range.min), kernels::bits(expected.range.min));
  EXPECT_EQ(kernels::bits(got.range.max), kernels::bits(expected.range.max));
  EXPECT_EQ(got.range.saw_nan, expected.range.saw_nan);
  EXPECT_EQ(kernels::bits(got.sum), kernels::bits(expected.sum));
  EXPECT_EQ(kernels::bits(got.sum_of_squares), kernels::bits(expected.sum_of_squares));
}

Observation launched(const std::vector<float>& values, std::size_t offset = 0) {
  const auto n = std::ssize(values);
  DeviceArray<float> x("x", values, offset);
  auto chunks = DeviceArray<Observation>::uninitialised("chunks", sum_chunks(n));
  auto all = DeviceArray<Observation>::uninitialised("all", 1);
  EXPECT_EQ(launch_observe(x.data(), n, FloatType::kFloat32, chunks.data(), all.data(), kStream), nullptr);
  return all.values()[0];
}

TEST(CudaObserve, SumsInTheDocumentedOrderWhateverTheOrderOfThreads) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 8191, 12301, 70000}) {
    SCOPED_TRACE(n);
    const std::vector<float> x = wide_floats(random, n);
    const Observation cpu = cpu_observation(x);
    const Sums expected = expected_sums(x);
    EXPECT_EQ(kernels::bits(cpu.sum), kernels::bits(expected.sum));
    EXPECT_EQ(kernels::bits(cpu.sum_of_squares), kernels::bits(expected.sum_of_squares));
    for_each_seed(2, [&] {
      expect_equal(launched(x), cpu);
      expect_equal(launched(x, 1), cpu);
    });
  }
}

TEST(CudaObserve, TakesMoreChunksThanAFoldStagesAtOnce) {
  Random random(2);
  const std::int64_t count = 2 * kThreads + 3;
  std::vector<Observation> chunks(count);
  for (Observation& chunk : chunks) {
    const std::vector<float> numbers = wide_floats(random, 2);
    chunk = {{numbers[0], numbers[0], false}, numbers[0], double{numbers[1]} * numbers[1]};
  }
  chunks[count - 2].range = {-1e30f, 1e30f, true};
  const Observation cpu = kernels::fold(chunks);
  for_each_seed([&] {
    DeviceArray<Observation> input("chunks", chunks);
    auto all = DeviceArray<Observation>::uninitialised("all", 1);
    emulate(1, kThreads, observe_fold, input.data(), count, all.data());
    expect_equal(all.values()[0], cpu);
  });
}

TEST(CudaObserve, LeavesNaNsOutOfSumsAndGivesOneNaNWhereInfinitiesMeet) {
  Random random(3);
  std::vector<float> x = random_floats(random, 5000, 1.0f);
  for (const std::int64_t i : {0, 77, 4999}) x[i] = nans()[i % nans().size()];
  expect_equal(launched(x), cpu_observation(x));
  EXPECT_TRUE(launched(x).range.saw_nan);
  for (const auto& [first, second] : {std::pair{3, 4}, std::pair{3, 19}, std::pair{3, 4500}}) {
    std::vector<float> infinite(5000, 1.0f);
    infinite[first] = kInfinity;
    infinite[second] = -kInfinity;
    expect_equal(launched(infinite), cpu_observation(infinite));
    EXPECT_TRUE(std::isnan(launched(infinite).sum));
  }
}

TEST(CudaObserve, WidensThe16BitTypesAsTheOracleDoes) {
  Random random(4);
  for (const FloatType type : k16BitTypes) {
    const std::vector<std::uint16_t> bits = stored_bits(random_floats(random, 9000, 3.0f), type);
    DeviceArray<std::uint16_t> x("x", bits);
    auto chunks = DeviceArray<Observation>::uninitialised("chunks", sum_chunks(9000));
    auto all = DeviceArray<Observation>::uninitialised("all", 1);
    launch_observe(x.data(), 9000, type, chunks.data(), all.data(), kStream);
    expect_equal(all.values()[0], cpu_observation(reals_of(bits, type)));
  }
}

TEST(CudaObserve, ReturnsTheTextOfARefusedLaunchAndStopsThere) {
  const std::uint64_t before = cuda_emulator::launch_count();
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_observe(nullptr, 1, FloatType::kFloat32, nullptr, nullptr, kStream), kRefused);
  EXPECT_EQ(cuda_emulator::launch_count(), before + 1);
}

}  // namespace
}  // namespace samebits::kernels::cuda
