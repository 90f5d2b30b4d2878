// kernels/observe/histogram.h: ranges, rebinning and quantiles. The search for a range is in
// least_error_range.cpp.
#include "kernels/observe/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace samebits::kernels {
namespace {

constexpr double kBins = kHistogramBins;
constexpr float kLargestFloat = std::numeric_limits<float>::max();

/// The old count below an edge, for edges asked in any order.
class CountBelow {
 public:
  explicit CountBelow(const Histogram& histogram) : histogram_(histogram) {
    std::partial_sum(histogram.counts.begin(), histogram.counts.end(), below_.begin() + 1);
  }

  std::int64_t operator()(double edge) const {
    const double low = histogram_.range.low, width = double{histogram_.range.high} - low;
    const double position = (edge - low) / width * kBins;
    if (!(position > 0.0)) return 0;
    if (position >= kBins) return below_.back();
    const auto bin = static_cast<std::int64_t>(position);
    const double part = position - static_cast<double>(bin);
    return below_[bin] + static_cast<std::int64_t>(part * static_cast<double>(histogram_.counts[bin]));
  }

 private:
  const Histogram& histogram_;
  std::array<std::int64_t, kHistogramBins + 1> below_{};
};

HistogramRange hull(HistogramRange a, HistogramRange b) {
  if (a.is_empty() || b.is_empty()) return a.is_empty() ? b : a;
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

}  // namespace

HistogramRange histogram_range(float min, float max) {
  const float magnitude = std::max(std::fabs(min), std::fabs(max));
  const float least = std::max(magnitude * 0x1p-20f, 0x1p-100f);
  if (max * 0.5f - min * 0.5f >= least * 0.5f) return {min, max};
  return {std::max(min - least, -kLargestFloat), std::min(max + least, kLargestFloat)};
}

std::int64_t Histogram::total() const {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

Histogram rebin(const Histogram& histogram, HistogramRange range) {
  Histogram result{.range = range, .counts = {}, .nans = histogram.nans};
  if (histogram.range == range) return histogram;
  if (histogram.range.is_empty()) return result;
  const CountBelow count_below(histogram);
  const double low = range.low, width = double{range.high} - low;
  const std::int64_t total = histogram.total();
  std::int64_t below = 0;
  for (std::int64_t bin = 0; bin < kHistogramBins; ++bin) {
    const double edge = low + width * (static_cast<double>(bin + 1) / kBins);
    const std::int64_t next = bin + 1 == kHistogramBins ? total : count_below(edge);
    result.counts[bin] = next - below;
    below = next;
  }
  return result;
}

Histogram merge(const Histogram& a, const Histogram& b) {
  const HistogramRange range = hull(a.range, b.range);
  Histogram result = rebin(a, range);
  const Histogram other = rebin(b, range);
  for (std::int64_t bin = 0; bin < kHistogramBins; ++bin) result.counts[bin] += other.counts[bin];
  result.nans += other.nans;
  return result;
}

Histogram widened(const Histogram& histogram, const MinMax& batch) {
  const bool is_finite = batch.min >= -kLargestFloat && batch.max <= kLargestFloat;
  if (!is_finite || batch.min > batch.max) return histogram;
  const HistogramRange old = histogram.range;
  if (!old.is_empty() && batch.min >= old.low && batch.max <= old.high) return histogram;
  return rebin(histogram, hull(old, histogram_range(batch.min, batch.max)));
}

float quantile(const Histogram& histogram, double p) {
  const double target = p * static_cast<double>(histogram.total());
  const double low = histogram.range.low, width = double{histogram.range.high} - low;
  double below = 0.0, position = 0.0;
  for (std::int64_t bin = 0; bin < kHistogramBins; ++bin) {
    const auto here = static_cast<double>(histogram.counts[bin]);
    if (here == 0.0) continue;
    position = static_cast<double>(bin) + std::clamp((target - below) / here, 0.0, 1.0);
    below += here;
    if (below >= target) break;
  }
  const auto value = static_cast<float>(low + width * (position / kBins));
  return std::clamp(value, histogram.range.low, histogram.range.high);
}

HistogramRange percentile_range(const Histogram& histogram, double p) {
  return {quantile(histogram, 1.0 - p), quantile(histogram, p)};
}

}  // namespace samebits::kernels
