// kernels/formats/pack_int4.h: two's-complement nibbles, the first code in the low one.
#include "kernels/formats/pack_int4.h"

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

class PackInt4 : public KernelTest {};

TEST_F(PackInt4, PutsCodesWhereTheLayoutSays) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const auto n = std::ssize(c.codes);
    ASSERT_EQ(packed_int4_bytes(n), std::ssize(c.packed));
    for (const auto& entry : under_test(pack_int4)) {
      Guarded<std::uint8_t> packed(packed_int4_bytes(n));
      entry.run(c.codes.data(), n, packed.data());
      EXPECT_EQ(packed.values(), c.packed) << entry.name;
      EXPECT_TRUE(packed.guards_untouched()) << entry.name;
    }
  }
}

TEST_F(PackInt4, GivesBackTheCodesWithTheirSigns) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const auto n = std::ssize(c.codes);
    for (const auto& entry : under_test(unpack_int4)) {
      Guarded<std::int8_t> codes(n);
      entry.run(c.packed.data(), n, codes.data());
      EXPECT_EQ(codes.values(), c.codes) << entry.name;
      EXPECT_TRUE(codes.guards_untouched()) << entry.name;
    }
  }
}

/// Row-major nibbles one by one, by division: the layout without shifts or vectors.
std::vector<std::uint8_t> nibbles(const std::vector<std::int8_t>& codes) {
  std::vector<std::uint8_t> packed((codes.size() + 1) / 2);
  for (std::size_t i = 0; i < codes.size(); ++i)
    packed[i / 2] = static_cast<std::uint8_t>(packed[i / 2] + (codes[i] + 16) % 16 * (i % 2 == 0 ? 1 : 16));
  return packed;
}

TEST_F(PackInt4, PacksAndUnpacksEveryPairOfCodesAtEveryPlaceOfAVector) {
  std::vector<std::int8_t> codes;
  for (int shift = 0; shift < 3; ++shift)  // a pair begins at even and odd places
    for (int low = -8; low <= 7; ++low)
      for (int high = -8; high <= 7; ++high)
        for (int i = 0; i < 2 + shift; ++i)
          codes.push_back(static_cast<std::int8_t>(i % 2 == 0 ? low : high));
  const auto n = std::ssize(codes);
  const std::vector<std::uint8_t> expected = nibbles(codes);
  for (const auto& entry : under_test(pack_int4)) {
    std::vector<std::uint8_t> packed(expected.size());
    entry.run(codes.data(), n, packed.data());
    EXPECT_EQ(packed, expected) << entry.name;
  }
  for (const auto& entry : under_test(unpack_int4)) {
    std::vector<std::int8_t> back(n);
    entry.run(expected.data(), n, back.data());
    EXPECT_EQ(back, codes) << entry.name;
  }
}

TEST_F(PackInt4, PacksAndUnpacksAnyCountAtAnyAlignment) {
  Random random(1);
  for (const std::int64_t n : kCounts) {
    for (const std::int64_t offset : {0, 1, 3}) {
      const std::vector<std::int8_t> codes = random_codes(random, n, -8, 7);
      const std::vector<std::uint8_t> expected = nibbles(codes);
      const Unaligned<std::int8_t> from(codes, offset);
      for (const auto& entry : under_test(pack_int4)) {
        Guarded<std::uint8_t> packed(packed_int4_bytes(n), offset);
        entry.run(from.data(), n, packed.data());
        EXPECT_EQ(packed.values(), expected) << entry.name << " " << n;
        EXPECT_TRUE(packed.guards_untouched()) << entry.name << " " << n;
      }
      const Unaligned<std::uint8_t> packed(expected, offset);
      for (const auto& entry : under_test(unpack_int4)) {
        Guarded<std::int8_t> back(n, offset);
        entry.run(packed.data(), n, back.data());
        EXPECT_EQ(back.values(), codes) << entry.name << " " << n;
        EXPECT_TRUE(back.guards_untouched()) << entry.name << " " << n;
      }
    }
  }
}

TEST_F(PackInt4, PacksUnsignedCodesAsTheyAre) {
  const std::vector<std::int8_t> codes = {0, 15, 8, 7, 9};
  std::vector<std::uint8_t> packed(3);
  pack_int4(codes.data(), 5, packed.data());
  EXPECT_THAT(packed, testing::ElementsAre(0xF0, 0x78, 0x09));
  std::vector<std::int8_t> back(5);
  unpack_uint4(packed.data(), 5, back.data());
  EXPECT_EQ(back, codes);
}

TEST(PackGemmInt4, PutsEachLevelWhereTheLayoutSays) {
  Random random(2);
  for (const std::int32_t qmin : {-8, 0}) {
    for (const std::int64_t group_size : {0, 4, 12, 32}) {
      for (const auto& [n, k] : {std::pair{1, 1}, {16, 8}, {17, 35}, {40, 64}}) {
        const Int4Shape shape{n, k, group_size};
        const std::vector<std::int8_t> codes = random_codes(random, n * k, qmin, qmin + 15);
        const std::int64_t depth = group_size == 0 ? k : group_size, lines = (depth + 7) / 8;
        const std::int64_t groups = (k + depth - 1) / depth;
        std::vector<std::uint8_t> expected((n + 15) / 16 * groups * lines * 64);
        for (std::int64_t i = 0; i < n * k; ++i) {
          const std::int64_t column = i / k, group = i % k / depth, place = i % k % depth;
          const std::int64_t byte =
              ((column / 16 * groups + group) * lines + place / 8) * 64 + column % 16 * 4 + place % 4;
          expected[byte] =
              static_cast<std::uint8_t>(expected[byte] + (codes[i] - qmin) * (place % 8 < 4 ? 1 : 16));
        }
        ASSERT_EQ(shape.packed_bytes(), std::ssize(expected));
        Guarded<std::uint8_t> packed(shape.packed_bytes());
        auto pieces = random_pieces(random, n, 16);
        std::shuffle(pieces.begin(), pieces.end(), random);
        for (const auto& [begin, end] : pieces)
          pack_gemm_int4(shape, codes.data(), qmin, packed.data(), begin, end);
        EXPECT_EQ(packed.values(), expected) << n << " " << k << " " << group_size << " " << qmin;
        EXPECT_TRUE(packed.guards_untouched());
      }
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
