// kernels/conv/pack_patches.h against an index computed element by element: tails of pixels and taps,
// borders, neighbouring blocks.
#include "kernels/conv/pack_patches.h"

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class PackPatches : public KernelTest {};

struct Problem {
  std::int64_t n, block_bytes;
  std::vector<PatchTap> taps;
  std::vector<std::int8_t> x;
  std::vector<std::uint8_t> inside;
  std::int8_t border;

  /// Taps that read at random places of x, and see the border at half of the pixels.
  Problem(Random& random, std::int64_t n, std::int64_t depth, std::int64_t spare_quads) : n(n) {
    block_bytes = ((depth + 3) / 4 + spare_quads) * 64;
    const std::int64_t reach = 50;
    for (std::int64_t k = 0; k < depth; ++k)
      taps.push_back({random_int(random, 0, reach), random_int(random, 0, reach)});
    if (depth > 0) taps.back() = {reach, reach};  // reads the last elements
    x = random_codes(random, reach + padded_pixels(n));
    for (std::int64_t i = 0; i < reach + padded_pixels(n); ++i)
      inside.push_back(random_int(random, 0, 1) == 0 ? 0 : 0xFF);
    border = static_cast<std::int8_t>(random_int(random, -128, 127));
  }
  std::int64_t packed_bytes() const { return padded_pixels(n) / 16 * block_bytes; }
  /// Spare quads keep what stood there.
  std::vector<std::int8_t> expected(bool has_border) const {
    std::vector<std::int8_t> packed(packed_bytes(), static_cast<std::int8_t>(Guarded<std::int8_t>::kFill));
    for (std::int64_t block = 0; block < padded_pixels(n) / 16; ++block)
      for (std::int64_t quad = 0; quad < (std::ssize(taps) + 3) / 4; ++quad)
        for (std::int64_t lane = 0; lane < 16; ++lane)
          for (std::int64_t k = 4 * quad; k < 4 * quad + 4; ++k)
            packed[block * block_bytes + quad * 64 + lane * 4 + k % 4] =
                code(k, block * 16 + lane, has_border);
    return packed;
  }

 private:
  std::int8_t code(std::int64_t k, std::int64_t pixel, bool has_border) const {
    if (k >= std::ssize(taps)) return 0;
    return has_border && inside[taps[k].inside + pixel] == 0 ? border : x[taps[k].x + pixel];
  }
};

void expect_packed(const Problem& problem) {
  for (const bool has_border : {false, true}) {
    for (const auto& entry : under_test(pack_patches)) {
      const Unaligned<std::int8_t> x(problem.x, 1);  // AddressSanitizer watches the ends
      const Unaligned<std::uint8_t> inside(problem.inside, 1);
      Guarded<std::int8_t> packed(problem.packed_bytes(), 1);
      entry.run({.x = x.data(),
                 .taps = problem.taps,
                 .inside = has_border ? inside.data() : nullptr,
                 .border = problem.border,
                 .packed = packed.data(),
                 .block_bytes = problem.block_bytes},
                problem.n);
      ASSERT_EQ(first_difference(packed.values(), problem.expected(has_border)), "")
          << entry.name << ", border " << has_border << ", " << problem.n << " pixels, depth "
          << problem.taps.size();
      ASSERT_TRUE(packed.guards_untouched()) << entry.name;
    }
  }
}

TEST_F(PackPatches, PutsEveryCodeInItsQuadAndZerosBehindTheLastTap) {
  Random random(1);
  for (const std::int64_t n : {1, 16, 17, 32, 33, 48, 64, 65, 200})
    for (std::int64_t depth = 0; depth <= 21; ++depth) expect_packed(Problem(random, n, depth, 0));
}

TEST_F(PackPatches, LeavesTheQuadsBehindTheLastTapAlone) {
  Random random(2);
  for (const std::int64_t depth : {1, 4, 9}) expect_packed(Problem(random, 100, depth, 3));
}

TEST_F(PackPatches, PacksNothingForNoPixels) {
  Random random(3);
  expect_packed(Problem(random, 0, 9, 0));
}

}  // namespace
}  // namespace samebits::kernels
