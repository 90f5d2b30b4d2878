// kernels/formats/int4_layouts.h against vectors worked out by hand and a decoder that knows the file format
// only.
#include "kernels/formats/int4_layouts.h"

#include <gmock/gmock.h>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

TEST(CompressedTensors, PutsEightCodesInAWordTheFirstInTheLowestBits) {
  // Levels 0 1 2 3 4 5 6 7 of the first word, 8 .. 15 of the second; one code of the next row's three words.
  const std::vector<std::int8_t> codes = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, -1,
                                          7,  7,  7,  7,  7,  7,  7,  7,  0, 0, 0, 0, 0, 0, 0, 0, 7};
  Guarded<std::int32_t> packed(6);
  pack_compressed_tensors(codes.data(), 2, 17, packed.data());
  EXPECT_THAT(packed.values(),
              testing::ElementsAre(0x76543210, static_cast<std::int32_t>(0xFEDCBA98), 0x00000007, -1,
                                   static_cast<std::int32_t>(0x88888888), 0x0000000F));
  EXPECT_TRUE(packed.guards_untouched());
}

TEST(CompressedTensors, PutsEightRowsOfZeroPointsInAWord) {
  const std::vector<std::int8_t> zero_points = {-8, 7,  -7, 6,  -6, 5,  -5, 4, -4,
                                                3,  -3, 2,  -2, 1,  -1, 0,  0, -1};
  Guarded<std::int32_t> packed(4);
  pack_compressed_tensors_zero_points(zero_points.data(), 9, 2, packed.data());
  EXPECT_THAT(packed.values(), testing::ElementsAre(0x76543210, static_cast<std::int32_t>(0x89ABCDEF),
                                                    0x00000008, 0x00000007));
  EXPECT_TRUE(packed.guards_untouched());
  Guarded<std::int8_t> back(18);
  unpack_compressed_tensors_zero_points(packed.data(), 9, 2, back.data());
  EXPECT_EQ(back.values(), zero_points);
  EXPECT_TRUE(back.guards_untouched());
}

TEST(CompressedTensors, RoundTripsAnyShape) {
  Random random(1);
  for (std::int64_t columns = 1; columns <= 40; ++columns) {
    const std::vector<std::int8_t> codes = random_codes(random, 3 * columns, -8, 7);
    std::vector<std::int32_t> packed(3 * compressed_tensors_words(columns));
    pack_compressed_tensors(codes.data(), 3, columns, packed.data());
    Guarded<std::int8_t> back(3 * columns);
    unpack_compressed_tensors(packed.data(), 3, columns, back.data());
    EXPECT_EQ(back.values(), codes) << columns;
    EXPECT_TRUE(back.guards_untouched()) << columns;
  }
}

/// A float16 from its fields, by powers of two.
double half(int bits) {
  const int exponent = bits >> 10 & 0x1F, mantissa = bits & 0x3FF;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// The 32 reals of a block, from the description of the format.
std::vector<double> decode_q4_0(const std::uint8_t* block) {
  std::vector<double> reals(32);
  for (int i = 0; i < 32; ++i) {
    const int byte = block[2 + i % 16], nibble = i < 16 ? byte % 16 : byte / 16;
    reals[i] = (nibble - 8) * half(block[0] + 256 * block[1]);
  }
  return reals;
}
std::vector<double> decode_q8_0(const std::uint8_t* block) {
  std::vector<double> reals(32);
  for (int i = 0; i < 32; ++i)
    reals[i] = (block[2 + i] < 128 ? block[2 + i] : block[2 + i] - 256) * half(block[0] + 256 * block[1]);
  return reals;
}

struct Format {
  const char* name;
  std::int64_t bytes;
  int qmin, qmax;
  decltype(pack_q4_0)* pack;
  decltype(unpack_q4_0)* unpack;
  decltype(decode_q4_0)* decode;
};
const Format kFormats[] = {
    {"Q4_0", kQ40Bytes, -8, 7, pack_q4_0, unpack_q4_0, decode_q4_0},
    {"Q8_0", kQ80Bytes, -128, 127, pack_q8_0, unpack_q8_0, decode_q8_0},
};

TEST(Gguf, ADecoderReadsTheRealsOfEveryScaleAndCode) {
  Random random(2);
  std::vector<float> scale;
  for (int bits = 0; bits < 0x7C00; bits += 7) scale.push_back(static_cast<float>(half(bits)));
  scale.push_back(static_cast<float>(half(0x7BFF)));
  scale.push_back(-0.5f);  // llama.cpp writes negative ones
  const auto blocks = std::ssize(scale);
  for (const Format& format : kFormats) {
    SCOPED_TRACE(format.name);
    const std::vector<std::int8_t> codes = random_codes(random, 32 * blocks, format.qmin, format.qmax);
    Guarded<std::uint8_t> packed(blocks * format.bytes);
    ASSERT_EQ(format.pack(codes.data(), scale.data(), blocks, packed.data()), blocks);
    EXPECT_TRUE(packed.guards_untouched());
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::vector<double> reals = format.decode(packed.data() + block * format.bytes);
      for (int i = 0; i < 32; ++i)
        ASSERT_EQ(reals[i], double{scale[block]} * codes[32 * block + i]) << block << " " << i;
    }
    Guarded<std::int8_t> codes_back(32 * blocks);
    Guarded<float> scale_back(blocks);
    format.unpack(packed.data(), blocks, codes_back.data(), scale_back.data());
    EXPECT_EQ(codes_back.values(), codes);
    EXPECT_EQ(first_difference(scale_back.values(), scale), "");
    EXPECT_TRUE(codes_back.guards_untouched() && scale_back.guards_untouched());
  }
}

TEST(Gguf, PutsABlockWhereTheFormatSays) {
  std::vector<std::int8_t> codes(32, 0);
  codes[0] = -8, codes[1] = 7, codes[16] = 1, codes[31] = -1;
  std::vector<std::uint8_t> packed(18), expected(18, 0x88);
  const float scale = 1.5f;  // 0x3E00
  ASSERT_EQ(pack_q4_0(codes.data(), &scale, 1, packed.data()), 1);
  expected[0] = 0x00, expected[1] = 0x3E, expected[2] = 0x90, expected[3] = 0x8F, expected[17] = 0x78;
  EXPECT_EQ(packed, expected);
}

/// The 32 reals of a Q4_1 block, from the description of the format.
std::vector<double> decode_q4_1(const std::uint8_t* block) {
  std::vector<double> reals(32);
  for (int i = 0; i < 32; ++i) {
    const int byte = block[4 + i % 16], nibble = i < 16 ? byte % 16 : byte / 16;
    reals[i] = nibble * half(block[0] + 256 * block[1]) + half(block[2] + 256 * block[3]);
  }
  return reals;
}

TEST(Gguf, ADecoderReadsTheRealsOfEveryZeroPointWhoseMinimumFloat16Holds) {
  Random random(3);
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  for (int steps = 1; steps < 128; steps += 3)
    for (std::int32_t each = -8; each <= 7; ++each) {
      scale.push_back(static_cast<float>(steps) * 0x1p-9f);
      zero_point.push_back(each);
    }
  const auto blocks = std::ssize(scale);
  const std::vector<std::int8_t> codes = random_codes(random, 32 * blocks, -8, 7);
  Guarded<std::uint8_t> packed(blocks * kQ41Bytes);
  ASSERT_EQ(pack_q4_1(codes.data(), scale.data(), zero_point.data(), blocks, packed.data()), blocks);
  EXPECT_TRUE(packed.guards_untouched());
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::vector<double> reals = decode_q4_1(packed.data() + block * kQ41Bytes);
    for (int i = 0; i < 32; ++i)
      ASSERT_EQ(reals[i], double{scale[block]} * (codes[32 * block + i] - zero_point[block]))
          << block << " " << i;
  }
  Guarded<std::int8_t> codes_back(32 * blocks);
  Guarded<float> scale_back(blocks);
  Guarded<std::int32_t> zero_back(blocks);
  ASSERT_EQ(unpack_q4_1(packed.data(), blocks, codes_back.data(), scale_back.data(), zero_back.data()),
            blocks);
  EXPECT_EQ(codes_back.values(), codes);
  EXPECT_EQ(first_difference(scale_back.values(), scale), "");
  EXPECT_EQ(zero_back.values(), zero_point);
  EXPECT_TRUE(codes_back.guards_untouched() && scale_back.guards_untouched() && zero_back.guards_untouched());
}

TEST(Gguf, NamesTheFirstQ41BlockWhoseMinimumIsNoMultipleThatItHolds) {
  const std::vector<std::int8_t> codes(64, 1);
  const float scale[] = {1.0f, 0x1.002p0f - 0x1p-12f};  // 3 times 11 bits are 13
  const std::int32_t zero_point[] = {7, -5};
  Guarded<std::uint8_t> packed(2 * kQ41Bytes);
  EXPECT_EQ(pack_q4_1(codes.data(), scale, zero_point, 2, packed.data()), 1);
  EXPECT_TRUE(packed.untouched_outside(0, kQ41Bytes));
  const std::uint8_t blocks[2 * kQ41Bytes] = {
      0x00, 0x3C, 0x00, 0xC0, 0, 0, 0, 0, 0,    0,    0,    0,
      0,    0,    0,    0,    0, 0, 0, 0, 0x00, 0x3C, 0x00, 0x3C};  // d 1: m -2 is of -6, m 1 of none
  std::vector<std::int8_t> codes_back(64);
  float scale_back[2];
  std::int32_t zero_back[2] = {};
  EXPECT_EQ(unpack_q4_1(blocks, 2, codes_back.data(), scale_back, zero_back), 1);
  EXPECT_EQ(zero_back[0], -6);
}

TEST(Gguf, NamesTheFirstBlockWhoseScaleNoFloat16Holds) {
  struct Case {
    const char* why;
    float scale;
  };
  const Case cases[] = {
      {"eleven bits and one more", 0x1.002p0f},
      {"above the largest", 65536.0f},
      {"next to the largest", 65505.0f},
      {"below the smallest denormal", 0x1p-25f},
      {"a denormal with a bit too many", 0x1.8p-24f},
      {"a float32 denormal", 0x1p-149f},
      {"infinity", std::numeric_limits<float>::infinity()},
      {"NaN", std::numeric_limits<float>::quiet_NaN()},
  };
  for (const Case& c : cases) {
    for (const Format& format : kFormats) {
      SCOPED_TRACE(testing::Message() << format.name << ": " << c.why);
      const std::vector<float> scale = {0.25f, 0x1p-24f, c.scale, 1.0f};
      const std::vector<std::int8_t> codes(128, 1);
      Guarded<std::uint8_t> packed(4 * format.bytes);
      EXPECT_EQ(format.pack(codes.data(), scale.data(), 4, packed.data()), 2);
      EXPECT_TRUE(packed.untouched_outside(0, 2 * format.bytes));
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
