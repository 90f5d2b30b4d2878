#include "export/verify/verify_report.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <sstream>

#include "io/error.h"

namespace samebits {
namespace {

std::string with_commas(std::int64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

/// The place of the largest value; of the first NaN, if there is one.
std::size_t largest(std::span<const float> values) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < values.size() && !std::isnan(values[best]); ++i)
    if (values[i] > values[best] || std::isnan(values[i])) best = i;
  return best;
}

std::int64_t other_decisions(const FloatsView& expected, const FloatsView& got) {
  if (expected.shape.size() != 2 || expected.values.empty()) return 0;
  const auto width = static_cast<std::size_t>(expected.shape[1]);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < expected.values.size(); i += width)
    count += largest(expected.values.subspan(i, width)) != largest(got.values.subspan(i, width));
  return count;
}

float largest_of_differences(std::span<const float> expected, std::span<const float> got) {
  float largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (std::isfinite(expected[i]) && std::isfinite(got[i]))
      largest = std::max(largest, std::abs(expected[i] - got[i]));
  return largest;
}

std::string inexact_text(const VerifyReport& report) {
  std::ostringstream largest;
  largest.precision(3);
  largest << report.largest_difference;
  return report.file.filename().string() + ": promises no bits; " + with_commas(report.differing_float) +
         " of " + with_commas(report.logits) + " logits differ (" + with_commas(report.images) +
         " images), by " + largest.str() + " at most; " + with_commas(report.differing_codes) + " of " +
         with_commas(report.codes) + " codes differ, by " + with_commas(report.largest_code_difference) +
         " at most; " + with_commas(report.other_decisions) + " images are decided otherwise";
}

}  // namespace

std::string VerifyReport::text() const {
  if (!promises_bits) return inexact_text(*this);
  std::string line = file.filename().string() + ": " + with_commas(differing) + " of " + with_commas(logits) +
                     " logits differ (" + with_commas(images) + " images)";
  if (differing_float > 0)
    line += ", " + with_commas(differing_float) + " more by how the engine sums float layers";
  if (!first_difference.empty()) line += "; first at " + first_difference;
  return line;
}

Differences differences(std::span<const float> expected, std::span<const float> got) {
  Differences result;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(expected[i]) == std::bit_cast<std::uint32_t>(got[i])) continue;
    if (result.count++ == 0) result.first = static_cast<std::int64_t>(i);
  }
  return result;
}

void add_batch(const FloatsView& expected, const FloatsView& got, VerifyReport& report) {
  if (expected.shape != got.shape || expected.values.size() != got.values.size())
    io::fail("[verify] ", report.file.string(), ": expected logits of shape ", io::to_text(expected.shape),
             ", got ", io::to_text(got.shape));
  const Differences d = differences(expected.values, got.values);
  const std::int64_t images = expected.shape.empty() ? 1 : expected.shape[0];
  const auto logits = static_cast<std::int64_t>(expected.values.size());
  if (d.count > 0 && report.differing == 0) {
    const std::int64_t width = std::max<std::int64_t>(logits / std::max<std::int64_t>(images, 1), 1);
    const auto first = static_cast<std::size_t>(d.first);
    std::ostringstream text;
    text.precision(9);
    text << "image " << report.images + d.first / width << ", logit " << d.first % width << ": expected "
         << expected.values[first] << ", got " << got.values[first];
    report.first_difference = text.str();
  }
  report.images += images;
  report.logits += logits;
  report.differing += d.count;
  report.other_decisions += other_decisions(expected, got);
  report.largest_difference =
      std::max(report.largest_difference, largest_of_differences(expected.values, got.values));
}

void add_codes(std::span<const std::int32_t> expected, std::span<const std::int32_t> got,
               VerifyReport& report) {
  report.codes += static_cast<std::int64_t>(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::int64_t distance = std::abs(std::int64_t{expected[i]} - got[i]);
    report.differing_codes += distance > 0;
    report.largest_code_difference = std::max(report.largest_code_difference, distance);
  }
}

void NodeComparison::see(const std::string& node, const FloatsView& got) {
  ++seen_;
  const auto expected = expected_.find(node);
  if (!text_.empty() || expected == expected_.end()) return;
  const graph::FloatTensor& want = expected->second;
  const std::string place = io::join("; node ", seen_, " (", node, ") ");
  if (want.shape != got.shape || want.values.size() != got.values.size()) {
    text_ = io::join(place, "is the first to differ, with ", io::to_text(got.shape), " instead of ",
                     io::to_text(want.shape));
    return;
  }
  const Differences d = differences(want.values, got.values);
  if (d.count > 0)
    text_ = io::join(place, "is the first to differ, in ", d.count, " of ", got.values.size(), " elements");
}

}  // namespace samebits
