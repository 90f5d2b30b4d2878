// Which implementation is chosen: the lists, SAMEBITS_ISA and the reasons that `samebits doctor` prints.
#include "kernels/common/isa.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "kernels/conv/max_pool.h"
#include "kernels/matmul/epilogue.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/matmul/pack_bf16.h"
#include "kernels/observe/min_max.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/quantize.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

using testing::ElementsAre;

/// Calls `check(name, list)` with every implementation list.
template <class Check>
void for_each_list(Check check) {
  check("quantize", quantize_implementations());
  check("dequantize", dequantize_implementations());
  check("fake_quantize", fake_quantize_implementations());
  check("fake_quantize_backward", fake_quantize_backward_implementations());
  check("mask_and_sum", mask_and_sum_implementations());
  check("max_pool", max_pool_implementations());
  check("min_max", min_max_implementations());
  check("pack_codes", pack_codes_implementations());
  check("pack_gradient", pack_gradient_implementations());
  check("gemm_int8", gemm_int8_implementations());
  check("epilogue_row", epilogue_row_implementations());
  check("epilogue_channel", epilogue_channel_implementations());
  check("epilogue_group", epilogue_group_implementations());
  check("epilogue_groups_end", epilogue_groups_end_implementations());
}

template <class List>
std::vector<std::string> names_of(List list) {
  std::vector<std::string> names;
  for (const auto& entry : list) names.push_back(entry.name);
  return names;
}

TEST(Isa, EveryListIsOrderedAndClosedByTheReference) {
  for_each_list([](const char* name, auto list) {
    SCOPED_TRACE(name);
    const bool has_tiles = std::string(name) == "gemm_int8";
#if defined(__x86_64__)
    std::vector<std::string> expected = {"avx512", "avx2", "reference"};
    if (has_tiles) expected = {"amx", "avx512_vnni", "avx512", "avx2", "reference"};
#else
    std::vector<std::string> expected = {"neon", "reference"};
    if (has_tiles) expected = {"neon_dotprod", "neon", "reference"};
#endif
    EXPECT_EQ(names_of(list), expected);
    EXPECT_EQ(list.back().why_not(), "");
  });
}

class ForcedIsa : public KernelTest {};

std::string best_of_this_processor() {
  if (isa::why_not_amx().empty()) return "amx";
  if (isa::why_not_avx512_vnni().empty()) return "avx512_vnni";
  if (isa::why_not_avx512().empty()) return "avx512";
  if (isa::why_not_avx2().empty()) return "avx2";
  if (isa::why_not_neon_dotprod().empty()) return "neon_dotprod";
  return isa::why_not_neon().empty() ? "neon" : "reference";
}

/// The first of these, best first, that is no better than `limit`.
std::string best_within(const std::vector<std::string>& names, const std::string& limit) {
  const std::vector<std::string> levels = {"amx",          "avx512_vnni", "avx512",   "avx2",
                                           "neon_dotprod", "neon",        "reference"};
  const auto allowed = std::find(levels.begin(), levels.end(), limit);
  for (const std::string& name : names)
    if (std::find(allowed, levels.end(), name) != levels.end()) return name;
  return "";
}

TEST_F(ForcedIsa, ChoosesWhatSamebitsIsaNamesAndElseTheBestThereIs) {
  const std::string limit = isa::forced().empty() ? best_of_this_processor() : isa::forced();
  for_each_list([&](const char* name, auto list) {
    SCOPED_TRACE(name);
    EXPECT_EQ(first_usable(list).name, best_within(names_of(list), limit));
  });
}

/// The reason of a name that the processor has or lacks, when `levels` are the values that exclude it.
void expect_reason(const std::string& reason, const std::string& name, bool present,
                   const std::vector<std::string>& levels) {
  const bool excluded = std::find(levels.begin(), levels.end(), isa::forced()) != levels.end();
  const std::string missing = present ? "" : "the processor has no " + name;
  EXPECT_EQ(reason, excluded ? "SAMEBITS_ISA=" + isa::forced() : missing);
}

bool has_feature(const std::string& name) {
  for (const isa::Feature& feature : isa::processor_features())
    if (feature.name == name) return feature.present;
  return false;
}

TEST_F(ForcedIsa, GivesTheReasonOfWhatIsExcluded) {
  expect_reason(isa::why_not_reference(), "reference", true, {});
  expect_reason(isa::why_not_neon(), "neon", has_feature("neon"), {"reference"});
  std::vector<std::string> below = {"reference", "neon"};
  expect_reason(isa::why_not_neon_dotprod(), "neon_dotprod", has_feature("neon_dotprod"), below);
  below.push_back("neon_dotprod");
  expect_reason(isa::why_not_avx2(), "avx2", has_feature("avx2"), below);
  below.push_back("avx2");
  expect_reason(isa::why_not_avx512(), "avx512", has_feature("avx512bw"), below);
  below.push_back("avx512");
  expect_reason(isa::why_not_avx512_vnni(), "avx512_vnni", has_feature("avx512_vnni"), below);
  expect_reason(isa::why_not_avx512_bf16(), "avx512_bf16", has_feature("avx512_bf16"), below);
  below.push_back("avx512_vnni");
  expect_reason(isa::why_not_amx(), "amx", has_feature("amx_int8"), below);
}

TEST(Isa, NamesTheFeaturesThatKernelsChooseBy) {
  std::vector<std::string> names;
  for (const isa::Feature& feature : isa::processor_features()) names.push_back(feature.name);
#if defined(__x86_64__)
  EXPECT_THAT(names, ElementsAre("avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16",
                                 "amx_int8", "amx_bf16"));
#else
  EXPECT_THAT(names, ElementsAre("neon", "neon_dotprod"));
#endif
}

// The variable is read once, so that each value needs a process of its own: a fork of one that has not read
// it yet, as GoogleTest runs death tests first. (Under qemu a test cannot start itself anew.)
[[noreturn]] void print_forced(const char* value) {
  setenv("SAMEBITS_ISA", value, 1);
  try {
    std::fputs(isa::forced().c_str(), stderr);
    std::exit(0);
  } catch (const std::invalid_argument& error) {
    std::fputs(error.what(), stderr);
    std::exit(1);
  }
}

TEST(IsaDeathTest, RefusesAnUnknownNameAndListsTheKnownOnes) {
  EXPECT_EXIT(
      print_forced("sse2"), testing::ExitedWithCode(1),
      testing::StrEq(
          "[isa] SAMEBITS_ISA: expected reference, neon, neon_dotprod, avx2, avx512, avx512_vnni or amx, "
          "got \"sse2\"; unset it to let the processor decide"));
}

TEST(IsaDeathTest, TakesEveryKnownNameAndAnEmptyValueAsUnset) {
  for (const char* name : {"", "reference", "neon", "neon_dotprod", "avx2", "avx512", "avx512_vnni", "amx"})
    EXPECT_EXIT(print_forced(name), testing::ExitedWithCode(0), testing::StrEq(name));
}

int one() {
  return 1;
}
int two() {
  return 2;
}
std::string missing() {
  return "the processor has no such thing";
}
std::string nothing_missing() {
  return {};
}

TEST(Implementation, FirstUsableIsTheFirstEntryWithoutAReason) {
  using List = std::vector<Implementation<int()>>;
  struct Case {
    const char* why;
    List list;
    const char* chosen;
  };
  const Case cases[] = {
      {"the best one runs", {{"a", one, nothing_missing}, {"b", two, nothing_missing}}, "a"},
      {"the best one cannot run", {{"a", one, missing}, {"b", two, nothing_missing}}, "b"},
      {"the reference needs no question", {{"a", one, missing}, {"b", two, missing}}, "b"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_STREQ(first_usable(std::span<const Implementation<int()>>(c.list)).name, c.chosen);
  }
}

}  // namespace
}  // namespace samebits::kernels
