// Problems for the tests of gemm_int8: random operands, the oracle's output, and every implementation beside
// it.
#pragma once

#include <cstring>
#include <sstream>
#include <vector>

#include "kernels/matmul/gemm_int8.h"
#include "tests/kernels/guard_page.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {

/// One call with its operands.
struct Problem : oracle::Gemm {
  GemmOutput output = GemmOutput::kFloat;
  AffineGrid grid{};
  std::int64_t a_gap = 0, output_gap = 0;  // elements between a row's end and the next row
  bool knows_sums = false;                 // the caller gives the sums of b's columns

  /// [groups][n], of b's codes.
  std::vector<std::int32_t> sums_of_b() const {
    const std::int64_t length = has_groups() ? group_size : std::max<std::int64_t>(k, 1);
    std::vector<std::int32_t> sums(std::max<std::int64_t>((k + length - 1) / length, 1) * n);
    for (std::int64_t column = 0; column < n; ++column)
      for (std::int64_t i = 0; i < k; ++i) sums[i / length * n + column] += b[column * k + i];
    return sums;
  }

  std::int64_t element_size() const { return output == GemmOutput::kCodes ? 1 : 4; }
  bool has_groups() const { return group_size > 0; }

  /// The output's bytes from the first row on; `gap` bytes between rows are `fill`.
  std::vector<std::uint8_t> expected(std::uint8_t fill) const {
    std::vector<std::uint8_t> bytes((m * (n + output_gap) - output_gap) * element_size(), fill);
    for (std::int64_t row = 0; row < m; ++row) {
      for (std::int64_t column = 0; column < n; ++column) {
        std::uint8_t* to = bytes.data() + (row * (n + output_gap) + column) * element_size();
        const auto write = [to](auto value) { std::memcpy(to, &value, sizeof value); };
        const float y = after_relu(value(row, column));
        if (output == GemmOutput::kFloat) {
          write(y);
        } else {
          write(static_cast<std::int8_t>(oracle::code(y, to_oracle(grid))));
        }
      }
    }
    return bytes;
  }
};

inline std::string text(const Problem& p) {
  std::ostringstream out;
  out << p.m << " x " << p.n << " x " << p.k << ", group_size " << p.group_size << ", output "
      << static_cast<int>(p.output) << (p.channels_are_rows ? ", channels are rows" : "")
      << (p.relu ? ", relu" : "") << (p.bias.empty() ? "" : ", bias")
      << (p.knows_sums ? ", sums of b known" : "");
  return out.str();
}

/// Codes, terms and a grid at random, for the kind of call that `p` says. Sums are spread over the grid, so
/// that most codes are not clipped.
inline Problem randomized(Random& random, Problem p) {
  p.a = random_codes(random, p.m * p.k);
  p.b = random_codes(random, p.n * p.k);
  const std::int64_t groups = p.has_groups() ? (p.k + p.group_size - 1) / p.group_size : 1;
  const std::int64_t channels = p.channels_are_rows ? p.m : p.n;
  for (std::int64_t i = 0; i < groups * channels; ++i) {
    p.correction.push_back(static_cast<std::int32_t>(random_int(random, -100'000, 100'000)));
    p.scale.push_back(0.001f + random_floats(random, 1, 0.0009f)[0]);
  }
  p.x_scale = 0.37f;
  if (random_int(random, 0, 2) != 0) p.bias = random_floats(random, channels, 30.0f);
  p.grid = {.scale = 1.3f + random_floats(random, 1, 1.0f)[0],
            .zero_point = static_cast<std::int32_t>(random_int(random, -128, 127))};
  return p;
}

struct Kind {
  const char* why;
  Problem problem;
};
inline Problem kind(GemmOutput output, bool channels_are_rows, bool relu, std::int64_t group_size) {
  Problem p;
  p.output = output;
  p.channels_are_rows = channels_are_rows;
  p.relu = relu;
  p.group_size = group_size;
  return p;
}
inline const Kind kFloats{"floats", kind(GemmOutput::kFloat, false, false, 0)};
inline const Kind kReluFloats{"floats after a relu", kind(GemmOutput::kFloat, false, true, 0)};
inline const Kind kCodes{"codes", kind(GemmOutput::kCodes, false, false, 0)};
inline const Kind kReluCodes{"codes after a relu", kind(GemmOutput::kCodes, false, true, 0)};
inline const Kind kGroups{"groups of 32", kind(GemmOutput::kFloat, false, false, 32)};
inline const Kind kTileGroups{"groups of 64", kind(GemmOutput::kFloat, false, false, 64)};
inline const Kind kKinds[] = {
    kFloats,
    kReluFloats,
    {"floats, a channel a row", kind(GemmOutput::kFloat, true, false, 0)},
    {"floats after a relu, a channel a row", kind(GemmOutput::kFloat, true, true, 0)},
    kCodes,
    kReluCodes,
    {"codes, a channel a row", kind(GemmOutput::kCodes, true, false, 0)},
    {"codes after a relu, a channel a row", kind(GemmOutput::kCodes, true, true, 0)},
    {"groups of 4", kind(GemmOutput::kFloat, false, false, 4)},
    {"groups of 12 with a relu", kind(GemmOutput::kFloat, false, true, 12)},
    {"groups of 16", kind(GemmOutput::kFloat, false, false, 16)},
    kGroups,
    kTileGroups,
    {"groups of 96", kind(GemmOutput::kFloat, false, false, 96)},
    {"groups of 128 with a relu", kind(GemmOutput::kFloat, false, true, 128)},
    {"codes of groups of 32", kind(GemmOutput::kCodes, false, true, 32)},
};

inline Problem random_problem_of(Random& random, Problem p, std::int64_t m, std::int64_t n, std::int64_t k) {
  p.m = m;
  p.n = n;
  p.k = k;
  return randomized(random, std::move(p));
}

inline Problem random_problem(Random& random, const Kind& kind, std::int64_t m, std::int64_t n,
                              std::int64_t k) {
  Problem p = kind.problem;
  p.a_gap = random_int(random, 0, 2) == 0 ? random_int(random, 1, 70) : 0;
  p.output_gap = random_int(random, 0, 2) == 0 ? random_int(random, 1, 20) : 0;
  p.knows_sums = random_int(random, 0, 1) == 0;
  return random_problem_of(random, std::move(p), m, n, k);
}

/// A problem's operands as gemm_int8 takes them: `a` and `b` end where memory ends.
struct Operands {
  GuardPage<std::int8_t> a, b;
  std::vector<std::int32_t> b_sums;
  GemmInt8Args args;

  explicit Operands(const Problem& p)
      : a(std::max<std::int64_t>(0, p.m * (p.k + p.a_gap) - p.a_gap)),
        b(packed_size(p.n, p.k)),
        b_sums(p.sums_of_b()) {
    for (std::int64_t row = 0; row < p.m; ++row)
      std::copy_n(p.a.data() + row * p.k, p.k, a.data() + row * (p.k + p.a_gap));
    pack_gemm_b(p.b.data(), p.n, p.k, b.data(), 0, p.n);
    args = {.a = a.data(),
            .a_stride = p.k + p.a_gap,
            .b = b.data(),
            .b_sums = p.knows_sums ? b_sums.data() : nullptr,
            .n = p.n,
            .k = p.k,
            .group_size = p.group_size,
            .x_scale = p.x_scale,
            .output = nullptr,
            .output_stride = p.n + p.output_gap,
            .epilogue = {.output = p.output, .channels_are_rows = p.channels_are_rows, .relu = p.relu}};
    args.epilogue.grid = p.grid;
    args.epilogue.terms = {p.correction.data(), p.scale.data(), p.bias.empty() ? nullptr : p.bias.data()};
  }
};

using Regions = std::vector<GemmRegion>;

/// Runs the regions, which cover the output, with every implementation under test.
inline void expect_oracle(const Problem& p, const Regions& regions) {
  using Bytes = Guarded<std::uint8_t>;
  const std::vector<std::uint8_t> expected = p.expected(Bytes::kFill);
  const Operands operands(p);
  for (const auto& entry : under_test(gemm_int8)) {
    Bytes output(std::ssize(expected), p.element_size());
    GemmInt8Args args = operands.args;
    args.output = output.data();
    for (const GemmRegion& region : regions) ASSERT_FALSE(entry.run(args, region)) << entry.name;
    ASSERT_EQ(first_difference(output.values(), expected), "") << entry.name << ", " << text(p);
    ASSERT_TRUE(output.guards_untouched()) << entry.name << ", " << text(p);
  }
}
inline void expect_oracle(const Problem& p) {
  expect_oracle(p, {{0, p.m, 0, p.n}});
}

}  // namespace samebits::kernels
