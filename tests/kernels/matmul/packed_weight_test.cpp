// kernels/matmul/packed_weight.h: sums and scales of groups, packing by parts, and what is refused.
#include "kernels/matmul/packed_weight.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <stdexcept>

#include "tests/kernels/layers.h"

namespace samebits::kernels {
namespace {

TEST(PackedWeights, SumCentersByGroupAndKeepRowsAsTheyAre) {
  const std::int8_t centered[] = {0, 1, 2, 3, 6, -6, 7, -8, 0, -1};
  const float scale[] = {0.5f, 0.25f, 2.0f, 4.0f};
  PackedWeight packed = allocate_packed_weight(WeightOrder::kRows, 2, 5, 4);
  pack_weight_rows(centered, {scale}, 0, 2, packed);
  EXPECT_EQ(packed.groups(), 2);
  EXPECT_TRUE(packed.grouped);
  EXPECT_THAT(packed.codes, testing::ElementsAreArray(centered));
  EXPECT_THAT(packed.sums, testing::ElementsAre(6, -7, 6, -1));
  EXPECT_THAT(packed.scale, testing::ElementsAre(0.5f, 2.0f, 0.25f, 4.0f));
}

TEST(PackedWeights, OfOneScaleRepeatItForEveryRow) {
  const std::int8_t centered[] = {1, 2, 3, 4, 5, 6};
  const float scale[] = {0.5f};
  PackedWeight packed = allocate_packed_weight(WeightOrder::kRows, 3, 2, 0);
  pack_weight_rows(centered, {scale, true}, 0, 3, packed);
  EXPECT_FALSE(packed.grouped);
  EXPECT_THAT(packed.sums, testing::ElementsAre(3, 7, 11));
  EXPECT_THAT(packed.scale, testing::ElementsAre(0.5f, 0.5f, 0.5f));
}

TEST(PackedWeights, PackedByPartsAreTheWholeAndAligned) {
  Random random(8);
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.why);
    oracle::Weights weights = random_weights(random, kind, 75, 50);
    weights.zero_point.clear();
    for (std::int8_t& code : weights.codes) code = static_cast<std::int8_t>(std::max<int>(code, -127));
    for (const WeightOrder order : {WeightOrder::kGemm, WeightOrder::kRows}) {
      const PackedWeight whole = pack(weights, order);
      PackedWeight parts = allocate_packed_weight(order, weights.n, weights.k, weights.group_size);
      auto pieces = random_pieces(random, weights.n, kColumnBlock);
      std::shuffle(pieces.begin(), pieces.end(), random);
      const bool one = weights.scale.size() == 1;
      for (const auto& [begin, end] : pieces)
        pack_weight_rows(weights.codes.data() + begin * weights.k,
                         {weights.scale.data() + (one ? 0 : begin * weights.groups()), one}, begin, end,
                         parts);
      EXPECT_EQ(parts.codes, whole.codes);
      EXPECT_EQ(parts.sums, whole.sums);
      EXPECT_EQ(parts.scale, whole.scale);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(parts.codes.data()) % 64, 0u);
    }
  }
}

TEST(PackedWeights, RefuseGroupsThatCutAQuad) {
  for (const std::int64_t group_size : {33, 34, -4}) {
    try {
      allocate_packed_weight(WeightOrder::kGemm, 3, 40, group_size);
      ADD_FAILURE() << "no error for groups of " << group_size;
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(error.what(), "[linear] weight group_size: expected a multiple of 4, got " +
                                  std::to_string(group_size) + "; use 32, 64 or 128");
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
