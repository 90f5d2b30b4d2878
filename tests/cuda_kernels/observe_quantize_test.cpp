// kernels/observe/cuda/observe_quantize.cu on the emulator: codes, masks, ranges and averaged grids, as the
// oracle and the CPU have them.
#include "kernels/observe/cuda/observe_quantize.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels::cuda {
namespace {

/// Where a launch writes a range.
struct DeviceRange {
  DeviceArray<MinMax> partials = DeviceArray<MinMax>::uninitialised("partials", kObservePartials);
  DeviceArray<float> range = DeviceArray<float>::uninitialised("range", 2);
  DeviceArray<std::uint8_t> saw_nan = DeviceArray<std::uint8_t>::uninitialised("saw_nan", 1);

  RangeOutputs outputs() { return {partials.data(), range.data(), saw_nan.data()}; }
  void expect(const MinMax& expected) {
    EXPECT_EQ(bits(range.values()[0]), bits(expected.min));
    EXPECT_EQ(bits(range.values()[1]), bits(expected.max));
    EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
  }
};

/// Both launchers on x, as views.
void expect_launches(const std::vector<float>& values, DeviceTable& table, const Expected& expected,
                     Offsets offsets) {
  const auto n = std::ssize(values);
  const MinMax range = kernels::min_max(values.data(), 0, n);
  DeviceArray<float> x("x", values, offsets.x);
  auto codes = DeviceArray<std::int8_t>::uninitialised("codes", n, offsets.y);
  auto y = DeviceArray<float>::uninitialised("y", n, offsets.y);
  for (const bool to_codes : {true, false}) {
    auto mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offsets.y);
    DeviceRange observed;
    const char* const error = to_codes
                                  ? launch_observe_quantize({x.data(), codes.data(), mask.data()},
                                                            table.table, n, observed.outputs(), kStream)
                                  : launch_observe_fake_quantize({x.data(), y.data(), mask.data()},
                                                                 table.table, n, observed.outputs(), kStream);
    ASSERT_EQ(error, nullptr);
    observed.expect(range);
    EXPECT_EQ(first_difference(mask, expected.clip_mask), "");
  }
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  EXPECT_EQ(first_difference(y, expected.y), "");
}

TEST(CudaObserveQuantize, GivesTheBitsOfBothPassesAtEveryCountAndPlacement) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9, .qmin = -100, .qmax = 90};
  Random random(1);
  std::vector<std::int64_t> counts(std::begin(kDeviceCounts), std::end(kDeviceCounts));
  counts.push_back(0);
  counts.push_back(7000);
  for (const std::int64_t n : counts) {
    std::vector<float> x = random_floats(random, n, 16.0f);
    if (n > 20) x[n - 2] = nans().front();
    const Expected expected = expect_on(x, grid);
    DeviceTable table(grid, n);
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " elements, offsets " << offsets.x << " and " << offsets.y);
      expect_launches(x, table, expected, offsets);
    }
  }
}

TEST(CudaObserveQuantize, GivesEachElementTheGridOfItsChannelOrGroup) {
  Random random(2);
  for (const Granularity& c : kGranularities) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    DeviceTable table(c.table(), grids.scale, grids.zero_point);
    const std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    const Expected expected = expect_by(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    for_each_seed(3, [&] { expect_launches(x, table, expected, {}); });
  }
}

TEST(CudaObserveQuantize, SeesAnExtremeAtEveryPlaceOfABlock) {
  const std::int64_t n = 2100;
  DeviceTable table(AffineGrid{}, n);
  for (std::int64_t at = 0; at < n; at += 61) {
    std::vector<float> x(n, 1.0f);
    x[at] = at % 2 == 0 ? 9.0f : -9.0f;
    expect_launches(x, table, expect_on(x, AffineGrid{}), {});
  }
}

TEST(CudaObserveQuantize, ObservesTheInputThatItOverwrites) {
  Random random(3);
  const std::vector<float> values = random_floats(random, 1500, 300.0f);
  DeviceTable table(AffineGrid{}, 1500);
  for_each_seed(3, [&] {
    DeviceArray<float> x("x", values);
    auto mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", 188);
    DeviceRange range;
    launch_observe_fake_quantize({x.data(), x.data(), mask.data()}, table.table, 1500, range.outputs(),
                                 kStream);
    range.expect(kernels::min_max(values.data(), 0, 1500));
    EXPECT_EQ(first_difference(x, expect_on(values, AffineGrid{}).y), "");
  });
}

TEST(CudaObserveQuantize, FoldsAReluAndWidensThe16BitTypesAsTheCpuDoes) {
  Random random(5);
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9};
  for (const FloatType type : k16BitTypes) {
    for (const bool fold_relu : {false, true}) {
      for (const float shift : {0.0f, -20.0f, 20.0f}) {  // both signs, none above 0, none below
        std::vector<float> values = random_floats(random, 1037, 15.0f);
        for (float& value : values) value += shift;
        const std::vector<std::uint16_t> bits = stored_bits(values, type);
        std::vector<std::int8_t> cpu_codes(1037);
        std::vector<std::uint8_t> cpu_mask(130);
        const MinMax cpu = kernels::observe_quantize_run(
            {bits.data(), cpu_codes.data(), cpu_mask.data(), type, fold_relu}, grid, 0, 1037);
        DeviceTable table(grid, 1037);
        DeviceArray<std::uint16_t> x("x", bits);
        auto codes = DeviceArray<std::int8_t>::uninitialised("codes", 1037);
        auto mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", 130);
        DeviceRange range;
        launch_observe_quantize({x.data(), codes.data(), mask.data(), type, fold_relu}, table.table, 1037,
                                range.outputs(), kStream);
        EXPECT_EQ(first_difference(codes, cpu_codes), "");
        EXPECT_EQ(first_difference(mask, cpu_mask), "");
        range.expect(cpu);
      }
    }
  }
}

/// A state on the device.
struct MovingGrid {
  DeviceArray<float> min{"min", {5.0f}}, max{"max", {5.0f}};
  DeviceArray<std::int64_t> batches{"batches", {0}};
  DeviceArray<float> scale{"scale", {7.0f}};
  DeviceArray<std::int32_t> zero_point{"zero_point", {7}};
  DeviceArray<BatchGrid> own = DeviceArray<BatchGrid>::uninitialised("own", 1);
  DeviceArray<std::uint8_t> is_out_of_range = DeviceArray<std::uint8_t>::uninitialised("is_out_of_range", 1);
  std::uint8_t raises = 0;

  const char* take(float low, float high, const GridRule& rule) {
    DeviceArray<float> range("range", {low, high});
    DeviceArray<std::uint8_t> raised("raised", {raises});
    return launch_move_grid(
        {.range = range.data(),
         .rule = rule,
         .state = {min.data(), max.data(), batches.data(), scale.data(), zero_point.data()},
         .own = own.data(),
         .is_out_of_range = is_out_of_range.data(),
         .raised = raised.data()},
        kStream);
  }
};

TEST(CudaObserveQuantize, TakesOverAFlagThatWasRaisedBefore) {
  const std::vector<float> values(9, 1.0f);
  DeviceTable table(AffineGrid{}, 9);
  for (const int raised : {0, 1, 2}) {
    DeviceArray<float> x("x", values);
    DeviceArray<int> flag("raised", {raised});
    auto codes = DeviceArray<std::int8_t>::uninitialised("codes", 9);
    DeviceRange range;
    RangeOutputs out = range.outputs();
    out.raised = flag.data();
    launch_observe_quantize({x.data(), codes.data(), nullptr}, table.table, 9, out, kStream);
    range.expect({1.0f, 1.0f, raised != 0});
  }
}

TEST(CudaMoveGrid, TakesOverAFlagThatWasRaisedBefore) {
  MovingGrid state;
  state.raises = 1;
  state.take(-1.0f, 3.0f, {});
  EXPECT_EQ(state.is_out_of_range.values()[0], 1);
  EXPECT_EQ(state.batches.values()[0], 1);
}

TEST(CudaMoveGrid, FollowsBatchesWithTheOraclesBits) {
  Random random(4);
  for (const bool symmetric : {false, true}) {
    for (const bool keeps_extremes : {false, true}) {
      MovingGrid state;
      float min = 0.0f, max = 0.0f, old_scale = 0.0f;
      int old_zero_point = 0;
      for (int batch = 0; batch < 20; ++batch) {
        const std::vector<float> ends = random_floats(random, 2, 3.0f);
        const float low = std::min(ends[0], ends[1]), high = std::max(ends[0], ends[1]), c = 0.1f;
        const auto moved = [&](float old, float end) {
          return oracle::add(old, oracle::multiply(c, oracle::add(end, -old)));
        };
        min = batch == 0 ? low : keeps_extremes ? std::min(min, low) : moved(min, low);
        max = batch == 0 ? high : keeps_extremes ? std::max(max, high) : moved(max, high);
        ASSERT_EQ(state.take(low, high, {c, -128, 127, symmetric, keeps_extremes}), nullptr);
        const oracle::Grid expected = oracle::grid_of_range(min, max, -128, 127, symmetric);
        EXPECT_EQ(bits(state.min.values()[0]), bits(min));
        EXPECT_EQ(bits(state.max.values()[0]), bits(max));
        EXPECT_EQ(bits(state.scale.values()[0]), bits(expected.scale));
        EXPECT_EQ(state.zero_point.values()[0], expected.zero_point);
        const BatchGrid own = state.own.values()[0];
        EXPECT_EQ(bits(own.scale), bits(batch == 0 ? expected.scale : old_scale));
        EXPECT_EQ(own.zero_point, batch == 0 ? expected.zero_point : old_zero_point);
        EXPECT_EQ(own.is_first, batch == 0 ? 1 : 0);
        EXPECT_EQ(state.is_out_of_range.values()[0], 0);
        old_scale = expected.scale;
        old_zero_point = expected.zero_point;
      }
      EXPECT_EQ(state.batches.values()[0], 20);
    }
  }
}

TEST(CudaMoveGrid, LeavesEverythingAloneAtAnInfinityAndSaysSo) {
  for (const auto& [low, high] :
       {std::pair(-kInfinity, 1.0f), std::pair(0.0f, kInfinity), std::pair(-3e38f, 0.0f)}) {
    MovingGrid state;
    state.take(low, high, {});
    EXPECT_EQ(state.is_out_of_range.values()[0], 1);
    EXPECT_EQ(state.batches.values()[0], 0);
    EXPECT_EQ(state.min.values()[0], 5.0f);
    EXPECT_EQ(state.scale.values()[0], 7.0f);
    EXPECT_EQ(state.zero_point.values()[0], 7);
    EXPECT_EQ(state.own.values()[0].scale, 7.0f);
  }
}

TEST(CudaMoveGrid, TakesAnEmptyBatchForNothing) {
  MovingGrid state;
  state.take(-1.0f, 3.0f, {});
  const float max = state.max.values()[0], scale = state.scale.values()[0];
  state.take(kInfinity, -kInfinity, {});
  EXPECT_EQ(state.is_out_of_range.values()[0], 0);
  EXPECT_EQ(state.batches.values()[0], 1);
  EXPECT_EQ(state.max.values()[0], max);
  EXPECT_EQ(bits(state.scale.values()[0]), bits(scale));
}

TEST(CudaObserveQuantize, ReturnsTheTextOfARefusedLaunchAndStopsThere) {
  DeviceTable table(AffineGrid{}, 1);
  const std::uint64_t before = cuda_emulator::launch_count();
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_observe_quantize({}, table.table, 1, RangeOutputs{}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_observe_fake_quantize({}, table.table, 1, RangeOutputs{}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(MovingGrid().take(0.0f, 1.0f, {}), kRefused);
  EXPECT_EQ(cuda_emulator::launch_count(), before + 3);
}

}  // namespace
}  // namespace samebits::kernels::cuda
