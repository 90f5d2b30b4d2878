// kernels/observe/observe.h against sums in the documented order, written again here, and exact expectations.
#include "kernels/observe/observe.h"

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/stored.h"
#include "tests/kernels/sum_order.h"

namespace samebits::kernels {
namespace {

class Observe : public KernelTest {};

/// What the header says of x[begin, end), in chunks of 4096.
Observation expect(const std::vector<float>& x) {
  Observation all;
  for (std::size_t first = 0; first < x.size(); first += 4096) {
    std::vector<double> values, squares;
    for (std::size_t i = first; i < std::min(first + 4096, x.size()); ++i) {
      const double value = std::isnan(x[i]) ? 0.0 : x[i];
      values.push_back(value);
      squares.push_back(value * value);
      all.range.saw_nan |= std::isnan(x[i]);
      if (std::isnan(x[i])) continue;
      all.range.min = std::fmin(all.range.min, x[i]) + 0.0f;
      all.range.max = std::fmax(all.range.max, x[i]) + 0.0f;
    }
    all.sum += chunk_sum(values);
    all.sum_of_squares += chunk_sum(squares);
  }
  if (std::isnan(all.sum)) all.sum = std::numeric_limits<double>::quiet_NaN();
  return all;
}

std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

void expect_equal(const Observation& got, const Observation& expected) {
  EXPECT_EQ(kernels::bits(got.range.min), kernels::bits(expected.range.min)) << got.range.min;
  EXPECT_EQ(kernels::bits(got.range.max), kernels::bits(expected.range.max)) << got.range.max;
  EXPECT_EQ(got.range.saw_nan, expected.range.saw_nan);
  EXPECT_EQ(bits(got.sum), bits(expected.sum)) << got.sum << ", expected " << expected.sum;
  EXPECT_EQ(bits(got.sum_of_squares), bits(expected.sum_of_squares))
      << got.sum_of_squares << ", expected " << expected.sum_of_squares;
}

/// Every entry on x, chunk after chunk.
void expect_documented_order(const std::vector<float>& x, std::int64_t offset = 0) {
  const Unaligned<float> unaligned(x, offset);
  const Observation expected = expect(x);
  for (const auto& entry : under_test(observe_chunk)) {
    SCOPED_TRACE(testing::Message() << entry.name << ", " << x.size() << " elements, " << offset
                                    << " off alignment");
    std::vector<Observation> chunks;
    for (std::int64_t first = 0; first < std::ssize(x); first += kSumChunk)
      chunks.push_back(entry.run(unaligned.data(), first, std::min(first + kSumChunk, std::ssize(x)),
                                 FloatType::kFloat32));
    expect_equal(fold(chunks), expected);
  }
}

const float kNaN = std::numeric_limits<float>::quiet_NaN();
struct Case {
  const char* why;
  std::vector<float> x;
  double sum, sum_of_squares;
};
const Case kCases[] = {
    {"nothing", {}, 0.0, 0.0},
    {"a sum that float32 would lose", {0x1p24f, 1.0f, -0x1p24f}, 1.0, 0x1p49 + 1.0},
    {"a square that float32 would overflow", {0x1p100f}, 0x1p100, 0x1p200},
    {"a square that float32 would lose", {0x1p-149f}, 0x1p-149, 0x1p-298},
    {"a NaN is left out", {3.0f, kNaN, -1.0f}, 2.0, 10.0},
    {"minus zeros sum to plus zero", {-0.0f, -0.0f}, 0.0, 0.0},
    {"infinity stays",
     {kInfinity, 1.0f},
     std::numeric_limits<double>::infinity(),
     std::numeric_limits<double>::infinity()},
    {"opposite infinities have no sum",
     {kInfinity, -kInfinity},
     std::numeric_limits<double>::quiet_NaN(),
     std::numeric_limits<double>::infinity()},
};

TEST_F(Observe, SumsHandMadeCasesWhereverTheyStand) {
  for (const Case& c : kCases) {
    for (const std::int64_t zeros_before : {0, 5, 16, 40}) {
      SCOPED_TRACE(testing::Message() << c.why << ", after " << zeros_before << " zeros");
      std::vector<float> x(zeros_before);
      x.insert(x.end(), c.x.begin(), c.x.end());
      for (const auto& entry : under_test(observe_chunk)) {
        const Observation got = entry.run(x.data(), 0, std::ssize(x), FloatType::kFloat32);
        EXPECT_EQ(bits(got.sum), bits(c.sum)) << entry.name << ": " << got.sum;
        EXPECT_EQ(bits(got.sum_of_squares), bits(c.sum_of_squares)) << entry.name;
      }
    }
  }
}

TEST_F(Observe, AddsInTheDocumentedOrderAtEveryCountAndAlignment) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 65, 1000, 4095, 4096, 4097, 8192, 20011})
    for (const std::int64_t offset : {0, 1, 7}) expect_documented_order(wide_floats(random, n), offset);
}

// Else the test above would prove little.
TEST_F(Observe, AnotherOrderWouldShowInTheseTests) {
  Random random(1);
  const std::vector<float> x = wide_floats(random, 20011);
  double ascending = 0.0, descending = 0.0;
  for (const float value : x) ascending += value;
  for (std::int64_t i = std::ssize(x) - 1; i >= 0; --i) descending += x[i];
  EXPECT_NE(bits(ascending), bits(expect(x).sum));
  EXPECT_NE(bits(descending), bits(expect(x).sum));
}

TEST_F(Observe, HoldsOnSpecialValuesAndSampledPatterns) {
  expect_documented_order(special_values());
  const std::vector<float> patterns = sampled_patterns(0, 1u << 16);
  expect_documented_order(patterns);
  for (const float nan : nans()) {
    for (std::int64_t at = 0; at < 40; ++at) {
      std::vector<float> x(40, -2.5f);
      x[at] = nan;
      expect_documented_order(x);
    }
  }
}

TEST_F(Observe, ReadsExactlyItsElements) {
  Random random(2);
  const std::vector<float> values = wide_floats(random, 70);
  for (std::int64_t begin = 0; begin <= 70; ++begin) {
    for (std::int64_t end = begin; end <= 70; ++end) {
      std::vector<float> x(70, nans().front());  // a NaN wherever it must not look
      std::copy(values.begin() + begin, values.begin() + end, x.begin() + begin);
      const Observation expected = expect({values.begin() + begin, values.begin() + end});
      for (const auto& entry : under_test(observe_chunk))
        expect_equal(entry.run(x.data(), begin, end, FloatType::kFloat32), expected);
    }
  }
}

// As threads share a tensor: whole chunks, in any order.
TEST_F(Observe, AnySplitAtChunksInAnyOrderGivesTheSameBits) {
  Random random(3);
  for (const std::int64_t n : {0L, 1L, 4096L, 50000L}) {
    const std::vector<float> x = wide_floats(random, n);
    const Observation expected = expect(x);
    for (int round = 0; round < 10; ++round) {
      std::vector<Observation> chunks(sum_chunks(n));
      auto pieces = random_pieces(random, n, kSumChunk);
      std::shuffle(pieces.begin(), pieces.end(), random);
      for (const auto& [first, last] : pieces) observe(x.data(), first, last, chunks.data());
      expect_equal(fold(chunks), expected);
    }
  }
}

TEST_F(Observe, WidensSixteenBitFloatsExactly) {
  Random random(4);
  for (const StoredType& stored : kStoredTypes) {
    SCOPED_TRACE(stored.name);
    std::vector<Bytes> inputs;
    for (const std::int64_t n : {0, 1, 17, 4097})
      inputs.push_back(encoded(wide_floats(random, n), stored.type));
    inputs.push_back(encoded(special_values(), stored.type));
    if (stored.bytes == 2) inputs.push_back(all_patterns());
    for (const Bytes& x : inputs) {
      const Observation expected = expect(decoded(x, stored.type));
      const std::int64_t n = std::ssize(x) / stored.bytes;
      for (const auto& entry : under_test(observe_chunk)) {
        SCOPED_TRACE(testing::Message() << entry.name << ", " << n);
        std::vector<Observation> chunks;
        for (std::int64_t first = 0; first < n; first += kSumChunk)
          chunks.push_back(entry.run(x.data(), first, std::min(first + kSumChunk, n), stored.type));
        expect_equal(fold(chunks), expected);
      }
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
