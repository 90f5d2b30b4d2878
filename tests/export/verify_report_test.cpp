// export/verify/verify_report.h: differences of bits, counted and named.
#include "export/verify/verify_report.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/io/test_files.h"

namespace samebits {
namespace {

const graph::Sizes kShape = {2, 3};
const std::vector<float> kValues = {1, 5, 3, -0.0f, 2, 2};

VerifyReport report_of(const std::vector<float>& got, const graph::Sizes& shape = kShape) {
  VerifyReport report;
  report.file = "runs/net.onnx";
  add_batch({kShape, kValues}, {shape, got}, report);
  return report;
}

TEST(Differences, AreOfBits) {
  const float nan = std::nanf("");
  EXPECT_EQ(differences(std::vector{0.0f, nan, 1.0f}, std::vector{-0.0f, nan, 1.0f}).count, 1);
  EXPECT_EQ(differences(std::vector{1.0f, 2.0f, 3.0f}, std::vector{1.0f, 0.0f, 0.0f}).first, 1);
  EXPECT_EQ(differences(std::vector<float>{}, std::vector<float>{}).first, -1);
}

TEST(VerifyReport, SaysHowManyLogitsDifferAndWhereTheFirstOneIs) {
  EXPECT_EQ(report_of(kValues).text(), "net.onnx: 0 of 6 logits differ (2 images)");
  std::vector<float> got = kValues;
  got[3] = 0.0f;
  got[5] = 2.5f;
  const VerifyReport report = report_of(got);
  EXPECT_EQ(report.text(),
            "net.onnx: 2 of 6 logits differ (2 images); first at image 1, logit 0: expected -0, got 0");
  EXPECT_EQ(report.other_decisions, 1);  // 2.5 is the largest, where the first 2 was
}

TEST(VerifyReport, GoesOnCountingImages) {
  VerifyReport report = report_of(kValues);
  std::vector<float> got = kValues;
  got[4] = 7;
  add_batch({kShape, kValues}, {kShape, got}, report);
  EXPECT_EQ(report.images, 4);
  EXPECT_EQ(report.text(),
            "net.onnx: 1 of 12 logits differ (4 images); first at image 3, logit 1: expected 2, got 7");
}

TEST(VerifyReport, TellsDifferencesOfFloatLayersApart) {
  VerifyReport report = report_of(kValues);
  report.logits = 1234567;
  report.differing_float = 3000;
  EXPECT_EQ(
      report.text(),
      "net.onnx: 0 of 1,234,567 logits differ (2 images), 3,000 more by how the engine sums float layers");
}

TEST(VerifyReport, OfAFileWithoutPromiseSaysHowFarCodesAndLogitsAre) {
  std::vector<float> got = kValues;
  got[0] = 1.25f;
  got[1] = HUGE_VALF;  // differs, and has no distance
  VerifyReport report = report_of(got);
  report.promises_bits = false;
  std::swap(report.differing_float, report.differing);
  add_codes(std::vector{-128, 0, 5}, std::vector{127, 0, 4}, report);
  add_codes(std::vector{7}, std::vector{7}, report);
  EXPECT_EQ(report.text(),
            "net.onnx: promises no bits; 2 of 6 logits differ (2 images), by 0.25 at most; 2 of 4 codes "
            "differ, by 255 at most; 0 images are decided otherwise");
}

TEST(VerifyReport, RefusesLogitsOfAnotherShape) {
  EXPECT_EQ(error_of([] {
              report_of(kValues, {3, 2});
            }),
            "[verify] runs/net.onnx: expected logits of shape [2, 3], got [3, 2]");
  EXPECT_EQ(error_of([] {
              report_of({1}, {1, 1});
            }),
            "[verify] runs/net.onnx: expected logits of shape [2, 3], got [1, 1]");
}

TEST(NodeComparison, NamesTheFirstNodeThatDiffers) {
  NodeComparison nodes({{"fc1", {kShape, kValues}}, {"fc2", {kShape, kValues}}});
  std::vector<float> got = kValues;
  nodes.see("fc1", {kShape, got});
  EXPECT_EQ(nodes.text(), "");
  nodes.see("relu", {kShape, got});
  got[0] = 0;
  nodes.see("fc2", {kShape, got});
  nodes.see("fc1", {kShape, got});
  EXPECT_EQ(nodes.text(), "; node 3 (fc2) is the first to differ, in 1 of 6 elements");
}

TEST(NodeComparison, ReadsNothingPastASmallerLayer) {
  NodeComparison nodes({{"fc1", {kShape, kValues}}});
  nodes.see("fc1", {{2, 1}, std::vector<float>{1, 2}});
  EXPECT_EQ(nodes.text(), "; node 1 (fc1) is the first to differ, with [2, 1] instead of [2, 3]");
}

}  // namespace
}  // namespace samebits
