// kernels/float/function.h on every float32 there is: all implementations agree to the bit, and the largest
// errors are those of docs/numerics.md §13. One pattern of 1024 in the normal run; all 2^32 with
// SAMEBITS_EXHAUSTIVE=1 (make test-long), of which the plain loops, whose fused steps are calls of the C
// library, take one block of 32, and the exact values, which are long double, one element of 64.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>

#include "tests/kernels/float/functions.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class ExhaustiveFunctions : public KernelTest {};

constexpr std::int64_t kBlock = 1 << 14;

struct Worst {
  double ulps = 0;
  float x = 0;
};

/// Blocks of patterns of one function.
class Sweep {
 public:
  Sweep(const FunctionCase& c, bool is_whole) : case_(c), is_whole_(is_whole) {}

  void run() {
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i)
      threads.emplace_back([this] { run_blocks(); });
    run_blocks();
    for (std::thread& thread : threads) thread.join();
  }
  const std::string& difference() const { return difference_; }
  const Worst& worst(int part) const { return worst_[part]; }

 private:
  std::int64_t stride() const { return is_whole_ ? 1 : 1024; }

  void run_blocks() {
    std::vector<float> x(kBlock), first(kBlock), other(kBlock);
    for (std::int64_t block; (block = next_++) < (std::int64_t{1} << 32) / stride() / kBlock;) {
      for (std::int64_t i = 0; i < kBlock; ++i) {
        const std::int64_t pattern = (block * kBlock + i) * stride();
        // The lower bits change along.
        x[i] =
            std::bit_cast<float>(static_cast<std::uint32_t>(pattern + pattern / stride() * 631 % stride()));
      }
      compare(block, x, first, other);
      measure(block, x, first);
    }
  }

  void compare(std::int64_t block, const std::vector<float>& x, std::vector<float>& first,
               std::vector<float>& other) {
    const auto entries = under_test(apply_function);
    for (std::size_t e = 0; e < entries.size(); ++e) {
      if (e != 0 && is_whole_ && std::string(entries[e].name) == "reference" && block % 32 != 0) continue;
      std::vector<float>& y = e == 0 ? first : other;
      entries[e].run({case_.function, x.data(), y.data(), case_.scales}, 0, kBlock);
      if (e == 0 || std::memcmp(first.data(), other.data(), kBlock * sizeof(float)) == 0) continue;
      const std::lock_guard lock(mutex_);
      difference_ = std::string(entries[e].name) + ": " + first_difference(other, first);
      next_ = std::int64_t{1} << 32;
    }
  }

  void measure(std::int64_t block, const std::vector<float>& x, const std::vector<float>& y) {
    Worst worst[2];
    for (std::int64_t i = is_whole_ ? block % 64 : 0; i < kBlock; i += is_whole_ ? 64 : 4) {
      Worst& of_part = worst[std::fabs(x[i]) <= 5 ? 0 : 1];
      const double ulps = ulps_between(y[i], case_.exact(x[i]));
      if (ulps > of_part.ulps) of_part = {ulps, x[i]};
    }
    const std::lock_guard lock(mutex_);
    for (int part = 0; part < 2; ++part)
      if (worst[part].ulps > worst_[part].ulps) worst_[part] = worst[part];
  }

  const FunctionCase& case_;
  const bool is_whole_;
  std::atomic<std::int64_t> next_ = 0;
  std::mutex mutex_;
  std::string difference_;
  Worst worst_[2];
};

TEST_F(ExhaustiveFunctions, HaveTheSameBitsEverywhereAndTheErrorsOfTheContract) {
  const bool is_whole = std::getenv("SAMEBITS_EXHAUSTIVE") != nullptr;
  for (const FunctionCase& c : function_cases()) {
    Sweep sweep(c, is_whole);
    sweep.run();
    EXPECT_EQ(sweep.difference(), "") << c.name;
    EXPECT_LE(sweep.worst(0).ulps, c.ulps) << c.name << " of " << sweep.worst(0).x;
    EXPECT_LE(sweep.worst(1).ulps, c.ulps_beyond) << c.name << " of " << sweep.worst(1).x;
    if (is_whole)
      std::cout << c.name << ": at most " << sweep.worst(0).ulps << " ulp, at " << sweep.worst(0).x
                << "; beyond 5 " << sweep.worst(1).ulps << ", at " << sweep.worst(1).x << std::endl;
  }
}

}  // namespace
}  // namespace samebits::kernels
