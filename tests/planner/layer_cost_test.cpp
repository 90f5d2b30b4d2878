// planner/layer_cost.h and hardware_profile.h against numbers worked out by hand.
#include "planner/layer_cost.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

namespace samebits::planner {
namespace {

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

const LayerShape kConv{
    .path = "conv", .out = 3, .row_length = 9, .positions = 100, .x_elements = 144, .y_elements = 300};

TEST(WeightBytes, AreThoseOfAPackage) {
  const HardwareProfile package = package_storage();
  // 27 codes and 3 scales; two codes a byte; groups of 4 make 3 scales a channel.
  EXPECT_EQ(weight_bytes(kConv, 8, 0, package), 27 + 12);
  EXPECT_EQ(weight_bytes(kConv, 5, 0, package), 27 + 12);
  EXPECT_EQ(weight_bytes(kConv, 4, 0, package), 14 + 12);
  EXPECT_EQ(weight_bytes(kConv, 2, 0, package), 14 + 12);
  EXPECT_EQ(weight_bytes(kConv, 4, 4, package), 14 + 36);
  EXPECT_EQ(weight_bytes(kConv, 16, 0, package), 27 * 4);
  EXPECT_EQ(weight_bytes(kConv, 32, 0, package), 27 * 4);
}

HardwareProfile machine() {
  HardwareProfile profile;
  profile.name = "machine";
  profile.weight_bits = {4, 8, 16, 32};
  profile.bandwidth_gb_s = 2;
  profile.peaks = {.fp32 = 1, .fp16 = 0, .int8 = 8, .int4 = 0};
  return profile;
}

TEST(RooflineMs, IsTheLongerOfProductsAndMemory) {
  HardwareProfile profile = machine();
  // 2 * 27 * 100 operations at 8 * 10^9 a second; (27 + 12 + 444) bytes at 2 * 10^9.
  EXPECT_DOUBLE_EQ(roofline_ms(kConv, 8, 0, profile), 5400 / 8e6);
  EXPECT_DOUBLE_EQ(roofline_ms(kConv, 32, 0, profile), 5400 / 1e6);
  EXPECT_DOUBLE_EQ(roofline_ms(kConv, 4, 0, profile), 5400 / 8e6);  // 8-bit activations
  profile.bandwidth_gb_s = 0.1;
  EXPECT_DOUBLE_EQ(roofline_ms(kConv, 8, 0, profile), 483 / 1e5);
  EXPECT_DOUBLE_EQ(roofline_ms(kConv, 4, 0, profile), (14 + 12 + 444) / 1e5);
  EXPECT_DOUBLE_EQ(roofline_ms(kConv, 32, 0, profile), (27 * 4 + 444 * 4) / 1e5);
}

TEST(Peak, IsOfTheNarrowestTypeThatHoldsTheOperands) {
  HardwareProfile profile = machine();
  EXPECT_EQ(profile.peak(4), 8);
  EXPECT_EQ(profile.peak(8), 8);
  EXPECT_EQ(profile.peak(16), 1);
  profile.peaks.int4 = 16;
  profile.peaks.fp16 = 2;
  EXPECT_EQ(profile.peak(4), 16);
  EXPECT_EQ(profile.peak(16), 2);
}

TEST(HardwareProfile, RefusesWhatItHasNotByName) {
  EXPECT_EQ(error_of([] { package_storage().peak(8); }),
            "[plan] package: expected a peak for operands of 8 bits, got none; name a profile that has one");
  HardwareProfile profile = machine();
  profile.weight_bits = {4, 8};
  EXPECT_EQ(error_of([&] { profile.stored_bits(16); }),
            "[plan] machine: expected weight_bits of at least 16, got 8; add it to the profile");
}

}  // namespace
}  // namespace samebits::planner
