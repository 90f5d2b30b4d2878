// kernels/pack_int4.h: two's-complement nibbles, the first code in the low one.
#include "kernels/pack_int4.h"

#include <gmock/gmock.h>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

struct Case {
  const char* why;
  std::vector<std::int8_t> codes;
  std::vector<std::uint8_t> packed;
};
const Case kCases[] = {
    {"nothing", {}, {}},
    {"the first code is the low nibble", {1, 2}, {0x21}},
    {"an odd last high nibble is 0", {1, 2, 3}, {0x21, 0x03}},
    {"a lone negative code leaves the high nibble 0", {-1}, {0x0F}},
    {"the ends of the range", {-8, 7, 7, -8}, {0x78, 0x87}},
    {"a sign does not spill into its neighbour", {-1, 0, 0, -1}, {0x0F, 0xF0}},
};

TEST(PackInt4, PutsCodesWhereTheLayoutSays) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const auto n = std::ssize(c.codes);
    ASSERT_EQ(packed_int4_bytes(n), std::ssize(c.packed));
    Guarded<std::uint8_t> packed(packed_int4_bytes(n));
    pack_int4(c.codes.data(), n, packed.data());
    EXPECT_EQ(packed.values(), c.packed);
    EXPECT_TRUE(packed.guards_untouched());
  }
}

TEST(UnpackInt4, GivesBackTheCodesWithTheirSigns) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const auto n = std::ssize(c.codes);
    Guarded<std::int8_t> codes(n);
    unpack_int4(c.packed.data(), n, codes.data());
    EXPECT_EQ(codes.values(), c.codes);
    EXPECT_TRUE(codes.guards_untouched());
  }
}

TEST(PackInt4, RoundTripsEveryPairOfCodes) {
  std::vector<std::int8_t> codes;
  for (int low = -8; low <= 7; ++low)
    for (int high = -8; high <= 7; ++high) {
      codes.push_back(static_cast<std::int8_t>(low));
      codes.push_back(static_cast<std::int8_t>(high));
    }
  const auto n = std::ssize(codes);
  std::vector<std::uint8_t> packed(packed_int4_bytes(n));
  pack_int4(codes.data(), n, packed.data());
  std::vector<std::int8_t> back(n);
  unpack_int4(packed.data(), n, back.data());
  EXPECT_EQ(back, codes);
}

TEST(PackInt4, RoundTripsAnyCount) {
  Random random(1);
  for (const std::int64_t n : kCounts) {
    const std::vector<std::int8_t> codes = random_codes(random, n, -8, 7);
    std::vector<std::uint8_t> packed(packed_int4_bytes(n));
    pack_int4(codes.data(), n, packed.data());
    Guarded<std::int8_t> back(n);
    unpack_int4(packed.data(), n, back.data());
    EXPECT_EQ(back.values(), codes) << n;
    EXPECT_TRUE(back.guards_untouched()) << n;
  }
}

}  // namespace
}  // namespace samebits::kernels
