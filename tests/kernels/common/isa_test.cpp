// Which implementation of a kernel is chosen: the lists, SAMEBITS_ISA and the reasons that `samebits doctor`
// prints.
#include "kernels/common/isa.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

using testing::ElementsAre;
using testing::IsSupersetOf;

std::vector<std::string> names_of(const AnyKernel& kernel) {
  std::vector<std::string> names;
  for (const ImplementationStatus& each : kernel.statuses()) names.push_back(each.name);
  return names;
}

/// The lists that are not those of Highway's targets alone.
std::vector<std::string> expected_names(const std::string& kernel) {
#if defined(__x86_64__)
  if (kernel == "gemm_int8" || kernel == "gemm_int4")
    return {"amx", "avx512_vnni", "avx512", "avx2", "reference"};
  if (kernel == "gemm_bf16") return {"amx", "avx512_bf16", "avx512", "avx2", "reference"};
  return {"avx512", "avx2", "reference"};
#else
  if (kernel == "gemm_int8" || kernel == "gemm_int4") return {"neon_dotprod", "neon", "reference"};
  return {"neon", "reference"};
#endif
}

TEST(Kernels, EveryListIsOrderedAndClosedByTheReference) {
  for (const AnyKernel* kernel : all_kernels()) {
    SCOPED_TRACE(kernel->name());
    EXPECT_EQ(names_of(*kernel), expected_names(kernel->name()));
    EXPECT_EQ(kernel->statuses().back().why_not, "");
  }
}

TEST(Kernels, AreListedByNameWhereverAHeaderDeclaresThem) {
  std::size_t declared = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(SAMEBITS_SOURCE_DIR "/kernels")) {
    if (file.path().extension() != ".h") continue;
    std::ifstream header(file.path());
    for (std::string line; std::getline(header, line);) declared += line.starts_with("extern const Kernel<");
  }
  std::vector<std::string> names;
  for (const AnyKernel* kernel : all_kernels()) names.emplace_back(kernel->name());
  EXPECT_EQ(names.size(), declared);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, IsSupersetOf({"fake_quantize", "gemm_int8", "gemm_int4", "max_pool_codes"}));
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

/// The first implementation, best first, that is no better than `limit`. One has reasons of its own.
std::string best_within(const AnyKernel& kernel, const std::string& limit) {
  const std::vector<std::string> levels = {"amx",  "avx512_vnni",  "avx512_bf16", "avx512",
                                           "avx2", "neon_dotprod", "neon",        "reference"};
  const auto allowed = std::find(levels.begin(), levels.end(), limit);
  for (const ImplementationStatus& each : kernel.statuses()) {
    if (each.name == "avx512_bf16" && !each.why_not.empty()) continue;
    if (std::find(allowed, levels.end(), each.name) != levels.end()) return each.name;
  }
  return "";
}

/// Of the implementations, the ones that are used.
std::string used_by(const AnyKernel& kernel) {
  std::string used;
  for (const ImplementationStatus& each : kernel.statuses())
    if (each.used) used += each.name;
  return used;
}

TEST_F(ForcedIsa, ChoosesWhatSamebitsIsaNamesAndElseTheBestThereIs) {
  const std::string limit = isa::forced().empty() ? best_of_this_processor() : isa::forced();
  for (const AnyKernel* kernel : all_kernels()) {
    SCOPED_TRACE(kernel->name());
    EXPECT_EQ(used_by(*kernel), best_within(*kernel, limit));
  }
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

std::string missing() {
  return "the processor has no such thing";
}
std::string nothing_missing() {
  return {};
}

/// Notes who was called, and moves what it gets.
template <int kNumber>
int take(std::unique_ptr<int> text, int& called) {
  called = kNumber;
  return *text + kNumber;
}

using Take = Kernel<int(std::unique_ptr<int>, int&)>;
constinit const Take kBestRuns("best", {{"a", take<10>, nothing_missing}, {"b", take<20>, nothing_missing}});
constinit const Take kBestCannot("second", {{"a", take<10>, missing}, {"b", take<20>, nothing_missing}});
constinit const Take kNoneCan("reference", {{"a", take<10>, missing}, {"b", take<20>, missing}});

TEST(Kernel, RunsTheFirstEntryWithoutAReasonAndTheReferenceWithoutAQuestion) {
  struct Case {
    const Take& kernel;
    int called;
    std::vector<bool> used;
  };
  const Case cases[] = {
      {kBestRuns, 10, {true, false}}, {kBestCannot, 20, {false, true}}, {kNoneCan, 20, {false, false}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.kernel.name());
    int called = 0;
    EXPECT_EQ(c.kernel(std::make_unique<int>(1), called), 1 + c.called);
    EXPECT_EQ(called, c.called);
    std::vector<bool> used;
    for (const ImplementationStatus& each : c.kernel.statuses()) used.push_back(each.used);
    EXPECT_EQ(used, c.used);
    EXPECT_STREQ(c.kernel.reference().name, "b");
  }
}

// Called twice, so that the second call finds what the first one chose.
TEST(Kernel, ChoosesOnce) {
  static int questions = 0;
  static const Kernel<int()> kernel("counted",
                                    {{"a", [] { return 7; }, [] { return ++questions, std::string(); }}});
  EXPECT_EQ(kernel() + kernel(), 14);
  EXPECT_EQ(questions, 1);
}

}  // namespace
}  // namespace samebits::kernels
