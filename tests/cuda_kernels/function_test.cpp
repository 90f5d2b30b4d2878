// kernels/float/cuda/function.cu on the emulator: the oracle's bits of every function, at every count and
// place.
#include "kernels/float/cuda/function.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/float/functions.h"

namespace samebits::kernels::cuda {
namespace {

std::vector<float> expected(const FunctionCase& c, const std::vector<float>& x) {
  std::vector<float> y;
  for (const float value : x) y.push_back(c.oracle(value));
  return y;
}

TEST(CudaFunction, GivesTheOraclesBitsAtEveryCountAndPlacement) {
  const std::vector<float> special = special_values();
  Random random(1);
  for (const FunctionCase& c : function_cases())
    for (const std::int64_t n : {1, 3, 4, 9, 257, 1025}) {
      std::vector<float> values = random_floats(random, n, 8.0f);
      for (std::int64_t i = 0; i < n; i += 3) values[i] = special[random() % special.size()];
      const std::vector<float> y = expected(c, values);
      for (const Offsets offsets : kOffsets) {
        SCOPED_TRACE(testing::Message() << c.name << ", " << n << " elements, offset " << offsets.x);
        for_each_seed(2, [&] {
          DeviceArray<float> x("x", values, offsets.x);
          auto to = DeviceArray<float>::uninitialised("y", n, offsets.y);
          ASSERT_EQ(launch_function({c.function, x.data(), to.data(), c.scales}, n, kStream), nullptr);
          EXPECT_EQ(first_difference(to, y), "");
          ASSERT_EQ(launch_function({c.function, x.data(), x.data(), c.scales}, n, kStream), nullptr);
          EXPECT_EQ(first_difference(x, y), "");
        });
      }
    }
}

TEST(CudaFunction, GivesTheOraclesBitsOnANetOverAllFloats) {
  const std::vector<float> all = sampled_patterns(0, 1 << 24);
  std::vector<float> values;
  for (std::size_t i = 0; i < all.size(); i += 1031) values.push_back(all[i]);
  for (const FunctionCase& c : function_cases()) {
    DeviceArray<float> x("x", values);
    launch_function({c.function, x.data(), x.data(), c.scales}, std::ssize(values), kStream);
    EXPECT_EQ(first_difference(x, expected(c, values)), "") << c.name;
  }
}

TEST(CudaFunction, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  EXPECT_EQ(launch_function({Function::kExp, nullptr, nullptr}, 0, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_function({Function::kExp, nullptr, nullptr}, 1, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
