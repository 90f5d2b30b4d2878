#include "quant/ptq/kl_range.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace samebits::quant {
namespace {

using kernels::Histogram;
using kernels::HistogramRange;
constexpr std::int64_t kBins = kernels::kHistogramBins;
constexpr double kEmptyCount = 1e-4;

/// Counts of |x| in equal bins up to `magnitude`.
std::vector<double> folded(const Histogram& histogram, double magnitude) {
  const auto end = static_cast<float>(magnitude);
  const Histogram positive = kernels::rebin(histogram, {-end, end});
  std::vector<double> counts(kBins / 2, 0.0);
  for (std::int64_t bin = 0; bin < kBins / 2; ++bin)
    counts[bin] =
        static_cast<double>(positive.counts[kBins / 2 + bin] + positive.counts[kBins / 2 - 1 - bin]);
  return counts;
}

/// The divergence for a threshold behind bin `end` - 1, times the total plus a constant: sums of p log(p /
/// q).
double divergence(const std::vector<double>& counts, std::int64_t end, std::int64_t levels, double above) {
  double sum = 0;
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::int64_t first = level * end / levels, last = (level + 1) * end / levels;
    double inside = 0, filled = 0;
    for (std::int64_t bin = first; bin < last; ++bin) {
      inside += counts[bin];
      filled += counts[bin] > 0 ? 1 : 0;
    }
    for (std::int64_t bin = first; bin < last; ++bin) {
      const double p = counts[bin] + (bin == end - 1 ? above : 0.0);
      if (p == 0) continue;
      sum += p * std::log(p / (counts[bin] == 0 ? kEmptyCount : inside / filled));
    }
  }
  return sum;
}

}  // namespace

HistogramRange kl_range(const Histogram& histogram, std::int32_t qmin, std::int32_t qmax) {
  if (histogram.total() == 0)
    throw std::invalid_argument("[kl] histogram: expected at least 1 value, got none");
  const double low = histogram.range.low, high = histogram.range.high;
  const bool has_both = low < 0 && high > 0;
  const std::int64_t codes = std::int64_t{qmax} - qmin + 1, levels = has_both ? codes / 2 : codes;
  const double magnitude = std::max(-low, high);
  const std::vector<double> counts = folded(histogram, magnitude);
  const auto bins = static_cast<std::int64_t>(counts.size());
  double least = std::numeric_limits<double>::infinity(), above = 0;
  std::int64_t best = bins;
  std::vector<double> beyond(bins + 1, 0.0);
  for (std::int64_t bin = bins - 1; bin >= 0; --bin) beyond[bin] = above += counts[bin];
  for (std::int64_t end = std::min(levels, bins); end <= bins; ++end) {
    // Q is normed to the values below the threshold, P to all of them.
    double inside = beyond[0] - beyond[end];
    if (inside <= 0) continue;
    if (counts[end - 1] == 0 && beyond[end] > 0) inside += kEmptyCount;
    const double all = beyond[0];
    const double found =
        divergence(counts, end, std::min(levels, end), beyond[end]) / all + std::log(inside / all);
    if (found < least) {
      least = found;
      best = end;
    }
  }
  const auto t = static_cast<float>(magnitude * static_cast<double>(best) / static_cast<double>(bins));
  return {low < 0 ? -t : 0.0f, high > 0 ? t : 0.0f};
}

}  // namespace samebits::quant
