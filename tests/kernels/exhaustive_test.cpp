// quantize and fake_quantize of every float32 pattern there is, against a double-precision oracle that the
// compiler can vectorize. One pattern of 256 in the normal run; all 2^32, and an array of more than 2^31
// elements, with SAMEBITS_EXHAUSTIVE=1 (make test-long).
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/quantize.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {
namespace {

class Exhaustive : public KernelTest {};

bool wanted_all() {
  return std::getenv("SAMEBITS_EXHAUSTIVE") != nullptr;
}

const GridCase kExhaustiveGrids[] = {
    {"the smallest scale", {.scale = 0x1p-126f, .zero_point = 3}},
    {"the largest scale below what may be corrected", {.scale = 0x1.fffffep-102f, .zero_point = -1}},
    {"the smallest scale whose quotients may be corrected", {.scale = 0x1p-101f, .zero_point = 7}},
    {"0.007", {.scale = 0.007f, .zero_point = -128}},
    {"0.1", {.scale = 0.1f}},
    {"the largest significand", {.scale = 0x1.fffffep-3f, .zero_point = 127}},
    {"one third", {.scale = 1.0f / 3.0f, .zero_point = -17}},
    {"1", {.scale = 1.0f, .zero_point = 1}},
    {"3e30", {.scale = 3e30f}},
    {"the largest scale whose quotients may be corrected",
     {.scale = 0x1p126f, .zero_point = 0, .qmin = -1, .qmax = 0}},
    {"a scale above it", {.scale = 0x1.000002p126f, .zero_point = 0, .qmin = -1, .qmax = 0}},
};

/// What one chunk of patterns should become. Division in double and one rounding to float32 give the float32
/// quotient (docs/numerics.md §3); adding and subtracting 1.5 * 2^52 rounds it to an integer, half to even.
class FastOracle {
 public:
  explicit FastOracle(std::int64_t n) : y(n), codes(n), clipped(n), clip_mask(n / 8) {}
  std::vector<float> y;
  std::vector<std::int8_t> codes;
  std::vector<std::uint8_t> clipped, clip_mask;

  void compute(const std::vector<float>& x, const AffineGrid& grid) {
    constexpr double kUnits = 0x1.8p52;
    const double scale = grid.scale, zero_point = grid.zero_point, qmin = grid.qmin, qmax = grid.qmax;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double quotient = static_cast<float>(double{x[i]} / scale);
      const double above = quotient < -1e6 ? -1e6 : quotient;
      const double near = above > 1e6 ? 1e6 : above;
      const double position = near + kUnits - kUnits + zero_point;  // NaN stays NaN
      const double raised = position < qmin ? qmin : position;
      const double clamped = raised > qmax ? qmax : raised;
      const double code = clamped == clamped ? clamped : zero_point;
      clipped[i] = clamped == position ? 0 : 1;  // NaN is not equal
      codes[i] = static_cast<std::int8_t>(static_cast<int>(code));
      y[i] = static_cast<float>((code - zero_point) * scale);
    }
    for (std::size_t byte = 0; byte < clip_mask.size(); ++byte) {
      unsigned bits = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) bits |= static_cast<unsigned>(clipped[8 * byte + bit]) << bit;
      clip_mask[byte] = static_cast<std::uint8_t>(bits);
    }
  }
};

constexpr std::int64_t kChunk = 1 << 16;

/// One thread's arrays.
struct Workspace {
  std::vector<float> x = std::vector<float>(kChunk), y = std::vector<float>(kChunk);
  std::vector<std::int8_t> codes = std::vector<std::int8_t>(kChunk);
  std::vector<std::uint8_t> clip_mask = std::vector<std::uint8_t>(kChunk / 8);
  FastOracle expected{kChunk};
};

/// Empty when every implementation gives the oracle's bits for work.x, else the first difference.
std::string difference(Workspace& work, const AffineGrid& grid) {
  work.expected.compute(work.x, grid);
  for (const auto& entry : under_test(fake_quantize)) {
    entry.run({work.x.data(), work.y.data(), work.clip_mask.data()}, table_of(grid), 0, kChunk);
    const std::string text =
        first_difference(work.y, work.expected.y) + first_difference(work.clip_mask, work.expected.clip_mask);
    if (!text.empty()) return std::string("fake_quantize, ") + entry.name + ": " + text;
  }
  for (const auto& entry : under_test(quantize)) {
    entry.run({work.x.data(), work.codes.data(), work.clip_mask.data()}, table_of(grid), 0, kChunk);
    const std::string text = first_difference(work.codes, work.expected.codes) +
                             first_difference(work.clip_mask, work.expected.clip_mask);
    if (!text.empty()) return std::string("quantize, ") + entry.name + ": " + text;
  }
  return {};
}

/// Runs work(chunk, workspace) for every chunk, on all processors; the first text that is not empty ends it.
template <class Work>
std::string for_each_chunk(std::int64_t chunks, Work work) {
  std::atomic<std::int64_t> next = 0;
  std::mutex mutex;
  std::string first;
  const auto run = [&] {
    const auto workspace = std::make_unique<Workspace>();
    for (std::int64_t chunk; (chunk = next++) < chunks;) {
      const std::string text = work(chunk, *workspace);
      if (text.empty()) continue;
      const std::lock_guard lock(mutex);
      if (first.empty()) first = "chunk " + std::to_string(chunk) + ": " + text;
      next = chunks;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
  return first;
}

TEST_F(Exhaustive, EveryFloatGivesTheOraclesBits) {
  const std::int64_t patterns = wanted_all() ? std::int64_t{1} << 32 : std::int64_t{1} << 24;
  for (const GridCase& c : kExhaustiveGrids) {
    SCOPED_TRACE(c.why);
    const auto begin = std::chrono::steady_clock::now();
    const std::string text = for_each_chunk(patterns / kChunk, [&](std::int64_t chunk, Workspace& work) {
      if (wanted_all()) {
        for (std::int64_t i = 0; i < kChunk; ++i)
          work.x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(chunk * kChunk + i));
      } else {
        work.x = sampled_patterns(static_cast<std::uint32_t>(chunk * kChunk), kChunk);
      }
      return difference(work, c.grid);
    });
    EXPECT_EQ(text, "");
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (wanted_all())
      std::cout << "scale " << c.why << ": " << patterns << " floats, " << static_cast<int>(seconds.count())
                << " s" << std::endl;
  }
}

TEST_F(Exhaustive, TheFastOracleIsTheOracle) {
  for (const GridCase& c : kExhaustiveGrids) {
    SCOPED_TRACE(c.why);
    std::vector<float> x = hard_values(c.grid);
    x.resize(x.size() / 8 * 8);
    const Expected expected = expect_on(x, c.grid);
    FastOracle fast(std::ssize(x));
    fast.compute(x, c.grid);
    EXPECT_EQ(first_difference(fast.y, expected.y), "");
    EXPECT_EQ(first_difference(fast.codes, expected.codes), "");
    EXPECT_EQ(first_difference(fast.clip_mask, expected.clip_mask), "");
  }
}

/// What Linux says is free for programs; 0 where it does not say.
std::int64_t available_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string name, rest; file >> name; std::getline(file, rest)) {
    std::int64_t kilobytes = 0;
    if (name == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

TEST_F(Exhaustive, IndicesBeyond31BitsFindTheirElements) {
  if (!wanted_all()) GTEST_SKIP() << "takes 11 GB; SAMEBITS_EXHAUSTIVE=1 runs it";
  constexpr std::int64_t kCount = (std::int64_t{1} << 31) + 4096 + 5, kNeeded = kCount * 5 + kCount / 8;
  if (available_bytes() < kNeeded + (std::int64_t{2} << 30))
    GTEST_SKIP() << "needs " << kNeeded / 1000000000 + 2 << " GB of free memory, there are "
                 << available_bytes() / 1000000000;
  constexpr std::int64_t kPeriod = 1009;
  const auto x = std::make_unique_for_overwrite<float[]>(kCount);
  const auto codes = std::make_unique_for_overwrite<std::int8_t[]>(kCount);
  const auto clip_mask = std::make_unique_for_overwrite<std::uint8_t[]>((kCount + 7) / 8);
  for (std::int64_t i = 0; i < kCount; ++i) x[i] = static_cast<float>(i % kPeriod - 500) * 0.3f;
  const float scale[] = {1.0f, 0.5f, 2.0f};
  const std::int32_t zero_point[] = {0, -3, 9};
  // Per tensor, and per channel on the last axis.
  for (const std::int64_t channels : {1, 3}) {
    const GridTable table{scale, zero_point, -128, 127, 1, 1, channels};
    quantize({x.get(), codes.get(), clip_mask.get()}, table, 0, kCount);
    std::vector<int> expected(3 * kPeriod);
    for (std::int64_t i = 0; i < 3 * kPeriod; ++i)
      expected[i] = oracle::code(x[i], to_oracle(table.grid(i % channels)));
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < kCount; ++i) wrong += codes[i] != expected[i % (3 * kPeriod)];
    EXPECT_EQ(wrong, 0) << channels << " channels";
    EXPECT_EQ(clip_mask[(kCount + 7) / 8 - 1] >> kCount % 8, 0) << "bits past the last element";
  }
}

}  // namespace
}  // namespace samebits::kernels
