// kernels/formats/small_float.h, one value at a time, against a search among all values in double.
#include "kernels/formats/small_float.h"

#include <gtest/gtest.h>

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/small_floats.h"

namespace samebits::kernels {
namespace {

TEST(SmallFloat, DecodesEveryCodeAsTheDefinitionSays) {
  for (const FormatCase& c : kFormats) {
    SCOPED_TRACE(c.name);
    for (int code = 0; code < 2 * c.format.sign_code(); ++code) {
      const double expected = oracle::decode(code, c.definition);
      const float value = decode_small_float(static_cast<std::uint8_t>(code), c.format);
      if (std::isnan(expected))
        EXPECT_EQ(bits(value), kNaNBits) << code;
      else
        EXPECT_EQ(bits(value), bits(static_cast<float>(expected))) << code;
    }
  }
}

TEST(SmallFloat, EncodesEveryValueAsItsOwnCode) {
  for (const FormatCase& c : kFormats) {
    SCOPED_TRACE(c.name);
    for (int code = 0; code < 2 * c.format.sign_code(); ++code) {
      const float value = decode_small_float(static_cast<std::uint8_t>(code), c.format);
      if (std::isnan(value)) continue;
      const Overflow overflow = std::isinf(value) ? Overflow::kToSpecial : Overflow::kSaturate;
      EXPECT_EQ(encode_small_float(value, c.format, overflow), code);
    }
  }
}

void expect_encoded(float v, const FormatCase& c, const oracle::SmallFloatSearch& search) {
  for (const Overflow overflow : overflows_of(c)) {
    const oracle::SmallFloatCode expected = search.encode(v, overflow == Overflow::kSaturate);
    ASSERT_EQ(encode_small_float(v, c.format, overflow), expected.code) << std::hexfloat << v;
    ASSERT_EQ(is_overflow(v, c.format), expected.clipped) << std::hexfloat << v;
  }
}

TEST(SmallFloat, RoundsToTheNearestValueAtEveryValueAndMidpointAndTheirNeighbours) {
  for (const FormatCase& c : kFormats) {
    SCOPED_TRACE(c.name);
    const oracle::SmallFloatSearch search(c.definition);
    for (const float v : hard_values_of(c)) expect_encoded(v, c, search);
  }
}

TEST(SmallFloat, RoundsToTheNearestValueOnEvery256thOfAllFloats) {
  for (const FormatCase& c : kFormats) {
    SCOPED_TRACE(c.name);
    const oracle::SmallFloatSearch search(c.definition);
    constexpr std::uint32_t kChunk = 1u << 16;
    for (std::uint32_t first = 0; first < 1u << 24 && !HasFatalFailure(); first += kChunk)
      for (const float v : sampled_patterns(first, kChunk)) expect_encoded(v, c, search);
  }
}

struct KnownCode {
  const char* why;
  SmallFloat format;
  float v;
  Overflow overflow;
  int code;
};
// From the tables of OCP OFP8 v1.0 and OCP MX v1.0.
TEST(SmallFloat, KnowsTheCodesThatTheStandardsList) {
  constexpr Overflow kSaturate = Overflow::kSaturate, kToSpecial = Overflow::kToSpecial;
  const KnownCode cases[] = {
      {"E4M3 largest", kFloat8E4M3, 448.0f, kSaturate, 0x7E},
      {"E4M3 smallest normal", kFloat8E4M3, 0x1p-6f, kSaturate, 0x08},
      {"E4M3 largest subnormal", kFloat8E4M3, 0x1.cp-7f, kSaturate, 0x07},
      {"E4M3 smallest subnormal", kFloat8E4M3, -0x1p-9f, kSaturate, 0x81},
      {"E4M3 a tie beyond the largest goes to the even largest", kFloat8E4M3, 464.0f, kToSpecial, 0x7E},
      {"E4M3 beyond the tie is NaN", kFloat8E4M3, 0x1.d00002p8f, kToSpecial, 0x7F},
      {"E4M3 has no infinity", kFloat8E4M3, -kInfinity, kToSpecial, 0x7F},
      {"E4M3 infinity saturates", kFloat8E4M3, -kInfinity, kSaturate, 0xFE},
      {"E5M2 largest", kFloat8E5M2, -57344.0f, kSaturate, 0xFB},
      {"E5M2 smallest normal", kFloat8E5M2, 0x1p-14f, kSaturate, 0x04},
      {"E5M2 smallest subnormal", kFloat8E5M2, 0x1p-16f, kSaturate, 0x01},
      {"E5M2 a tie beyond the largest overflows: the largest is odd", kFloat8E5M2, 61440.0f, kToSpecial,
       0x7C},
      {"E5M2 infinity", kFloat8E5M2, -kInfinity, kToSpecial, 0xFC},
      {"E5M2 infinity saturates", kFloat8E5M2, kInfinity, kSaturate, 0x7B},
      {"E2M3 largest", kFloat6E2M3, 7.5f, kSaturate, 0x1F},
      {"E2M3 smallest subnormal", kFloat6E2M3, 0.125f, kSaturate, 0x01},
      {"E3M2 largest", kFloat6E3M2, -28.0f, kSaturate, 0x3F},
      {"E3M2 smallest subnormal", kFloat6E3M2, 0.0625f, kSaturate, 0x01},
      {"E2M1 largest", kFloat4E2M1, 6.0f, kSaturate, 0x07},
      {"E2M1 subnormal", kFloat4E2M1, -0.5f, kSaturate, 0x09},
      {"E2M1 a tie goes to the even code", kFloat4E2M1, 2.5f, kSaturate, 0x04},
      {"minus zero keeps its sign", kFloat4E2M1, -0.0f, kSaturate, 0x08},
      {"what rounds to zero keeps its sign", kFloat8E4M3, -0x1p-10f, kSaturate, 0x80},
  };
  for (const KnownCode& c : cases) EXPECT_EQ(encode_small_float(c.v, c.format, c.overflow), c.code) << c.why;
}

TEST(SmallFloat, EveryNaNGivesTheSameCode) {
  for (const FormatCase& c : kFormats)
    for (const float nan : nans())
      EXPECT_EQ(encode_small_float(nan, c.format, Overflow::kSaturate), c.definition.nan_code) << c.name;
}

}  // namespace
}  // namespace samebits::kernels
