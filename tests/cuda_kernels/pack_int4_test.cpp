// kernels/formats/cuda/pack_int4.cu on the emulator: the bytes of the layout and of the CPU, and the way
// back.
#include "kernels/formats/cuda/pack_int4.cu"

#include "tests/cuda_kernels/device_cases.h"

namespace samebits::kernels::cuda {
namespace {

/// Nibbles by arithmetic: code modulo 16, the first times 1, the second times 16.
std::vector<std::uint8_t> packed_of(const std::vector<std::int8_t>& codes) {
  std::vector<std::uint8_t> packed((codes.size() + 1) / 2);
  for (std::size_t i = 0; i < codes.size(); ++i)
    packed[i / 2] = static_cast<std::uint8_t>(packed[i / 2] + (codes[i] + 16) % 16 * (i % 2 == 0 ? 1 : 16));
  return packed;
}

void expect_round_trip(const std::vector<std::int8_t>& codes, Offsets offsets = {}) {
  const auto n = std::ssize(codes);
  const std::vector<std::uint8_t> expected = packed_of(codes);
  std::vector<std::uint8_t> cpu(expected.size());
  kernels::pack_int4(codes.data(), n, cpu.data());
  EXPECT_EQ(kernels::first_difference(cpu, expected), "");
  DeviceArray<std::int8_t> input("codes", codes, offsets.x);
  auto packed = DeviceArray<std::uint8_t>::uninitialised("packed", expected.size(), offsets.y);
  ASSERT_EQ(launch_pack_int4(input.data(), n, packed.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(packed, expected), "");
  auto back = DeviceArray<std::int8_t>::uninitialised("codes", codes.size(), offsets.x);
  ASSERT_EQ(launch_unpack_int4(packed.data(), n, back.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(back, codes), "");
}

TEST(CudaPackInt4, PacksAndUnpacksEveryPairOfCodesAtEveryPlace) {
  for (int shift = 0; shift < 4; ++shift) {
    std::vector<std::int8_t> codes(shift, 3);
    for (int low = -8; low <= 7; ++low)
      for (int high = -8; high <= 7; ++high) {
        codes.push_back(static_cast<std::int8_t>(low));
        codes.push_back(static_cast<std::int8_t>(high));
      }
    expect_round_trip(codes);
  }
}

TEST(CudaPackInt4, EndsAtTheLastCodeOfEveryCountAndPlacement) {
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<std::int8_t> codes = random_codes(random, n, -8, 7);
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " codes, offsets " << offsets.x << " and " << offsets.y);
      for_each_seed(2, [&] { expect_round_trip(codes, offsets); });
    }
  }
}

TEST(CudaPackInt4, GivesTheSameBytesOnOneBlock) {
  Random random(2);
  const std::int64_t n = 3 * kThreads * kPackedCodes + 5;
  const std::vector<std::int8_t> codes = random_codes(random, n, -8, 7);
  DeviceArray<std::int8_t> input("codes", codes);
  auto packed = DeviceArray<std::uint8_t>::uninitialised("packed", (n + 1) / 2);
  emulate(1, kThreads, pack_int4, input.data(), n, packed.data());
  EXPECT_EQ(first_difference(packed, packed_of(codes)), "");
  auto back = DeviceArray<std::int8_t>::uninitialised("codes", n);
  emulate(1, kThreads, unpack_int4, packed.data(), n, back.data());
  EXPECT_EQ(first_difference(back, codes), "");
}

TEST(CudaPackInt4, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  EXPECT_EQ(launch_pack_int4(nullptr, 0, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_unpack_int4(nullptr, 0, nullptr, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_pack_int4(nullptr, 1, nullptr, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_unpack_int4(nullptr, 1, nullptr, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
