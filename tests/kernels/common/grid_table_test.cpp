// kernels/common/grid_table.h: every granularity as a walk over runs, against an index computed element by
// element.
#include "kernels/common/grid_table.h"

#include <gmock/gmock.h>

#include "tests/kernels/granularities.h"

namespace samebits::kernels {
namespace {

struct Piece {
  std::int64_t first, last, index;
};
std::vector<Piece> runs_of(const GridTable& table, std::int64_t begin, std::int64_t end) {
  std::vector<Piece> runs;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    runs.push_back({first, last, index});
  });
  return runs;
}

TEST(ForEachRun, GivesEachElementTheGridThatItsCoordinatesName) {
  for (const Granularity& c : kGranularities) {
    SCOPED_TRACE(c.why);
    for (std::int64_t begin = 0; begin <= c.elements(); ++begin) {
      for (std::int64_t end = begin; end <= c.elements(); ++end) {
        std::int64_t next = begin;
        for (const Piece& run : runs_of(c.table(), begin, end)) {
          ASSERT_EQ(run.first, next) << "runs must follow each other";
          ASSERT_LT(run.first, run.last);
          for (std::int64_t i = run.first; i < run.last; ++i) ASSERT_EQ(run.index, c.grid_index(i)) << i;
          next = run.last;
        }
        ASSERT_EQ(next, end);
      }
    }
  }
}

TEST(ForEachRun, MakesRunsAsLongAsTheyCanBe) {
  for (const Granularity& c : kGranularities) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(std::ssize(runs_of(c.table(), 0, c.elements())), c.runs);
  }
}

TEST(ForEachRun, CallsNothingForNoElements) {
  for (const Granularity& c : kGranularities) EXPECT_THAT(runs_of(c.table(), 3, 3), testing::IsEmpty());
}

TEST(GridTable, FindsTheGridOfOneElement) {
  for (const Granularity& c : all_granularities()) {
    const GridTable table = c.table();
    EXPECT_EQ(table.grids(), c.grids()) << c.why;
    for (std::int64_t i = 0; i < c.elements(); ++i)
      ASSERT_EQ(table.index_of(i), c.grid_index(i)) << c.why << ", " << i;
  }
}

TEST(GridTable, OfOneGridIsOneRunFromAnyElementOn) {
  const AffineGrid grid{0.3f, 4, -8, 7};
  const std::int64_t far = std::int64_t{1} << 60;
  for (const std::int64_t begin : {std::int64_t{0}, std::int64_t{13}, far - 5}) {
    const std::vector<Piece> runs = runs_of(table_of(grid), begin, far);
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs[0].first, begin);
    EXPECT_EQ(runs[0].last, far);
    EXPECT_EQ(table_of(grid).grid(runs[0].index), grid);
  }
}

TEST(GridTable, CountsTheGroupsOfARowWithAShortLastOne) {
  struct Case {
    std::int64_t row_length, group_size, groups;
  };
  for (const Case& c : {Case{64, 32, 2}, {65, 32, 3}, {31, 32, 1}, {1, 1, 1}, {7, 7, 1}})
    EXPECT_EQ((GridTable{.row_length = c.row_length, .group_size = c.group_size, .rows = 1}.groups_per_row()),
              c.groups)
        << c.row_length << " in groups of " << c.group_size;
}

TEST(GridTable, ReadsOneGridOfTheTableAndZeroWithoutZeroPoints) {
  const float scale[] = {0.5f, 0.25f};
  const std::int32_t zero_point[] = {3, -4};
  const GridTable affine{scale, zero_point, -8, 7, 4, 4, 2}, symmetric{scale, nullptr, -8, 7, 4, 4, 2};
  EXPECT_EQ(affine.grid(1), (AffineGrid{0.25f, -4, -8, 7}));
  EXPECT_EQ(symmetric.grid(0), (AffineGrid{0.5f, 0, -8, 7}));
}

}  // namespace
}  // namespace samebits::kernels
