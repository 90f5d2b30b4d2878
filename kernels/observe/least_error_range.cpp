// The search of kernels/observe/histogram.h for the range that quantizes with the least error. One candidate
// costs two evaluations of running moments for each code, so thousands of them take milliseconds.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/observe/histogram.h"

namespace samebits::kernels {
namespace {

/// Integrals of 1, u and u² over the histogram's density, u in bins from `low`.
struct Moments {
  double zeroth = 0.0, first = 0.0, second = 0.0;

  friend Moments operator+(const Moments& a, const Moments& b) {
    return {a.zeroth + b.zeroth, a.first + b.first, a.second + b.second};
  }
  friend Moments operator-(const Moments& a, const Moments& b) {
    return {a.zeroth - b.zeroth, a.first - b.first, a.second - b.second};
  }
  /// The integral of (u - center)².
  double squared_distance(double center) const {
    return second - 2.0 * center * first + center * center * zeroth;
  }
};

/// Of the first `part` of bin `bin`, which holds `count`.
Moments moments_of_bin(std::int64_t bin, double part, double count) {
  const auto u = static_cast<double>(bin);
  return {count * part, count * part * (u + part * 0.5),
          count * part * (u * u + u * part + part * part / 3.0)};
}

class ErrorOfGrid {
 public:
  explicit ErrorOfGrid(const Histogram& histogram)
      : histogram_(histogram),
        low_(histogram.range.low),
        bin_width_((double{histogram.range.high} - low_) / static_cast<double>(kHistogramBins)),
        below_(kHistogramBins + 1) {
    for (std::int64_t bin = 0; bin < kHistogramBins; ++bin)
      below_[bin + 1] = below_[bin] + moments_of_bin(bin, 1.0, static_cast<double>(histogram.counts[bin]));
  }

  /// The mean over all values of the squared difference to their nearest real of the grid.
  double operator()(const AffineGrid& grid) const {
    const double total = below_.back().zeroth;
    if (total == 0.0) return 0.0;
    const double step = grid.scale / bin_width_;
    double sum = 0.0;
    Moments before;
    for (std::int32_t code = grid.qmin; code <= grid.qmax; ++code) {
      const double center = ((code - grid.zero_point) * double{grid.scale} - low_) / bin_width_;
      const Moments until = code == grid.qmax ? below_.back() : moments_below(center + step * 0.5);
      sum += (until - before).squared_distance(center);
      before = until;
    }
    return std::max(sum / total, 0.0) * bin_width_ * bin_width_;
  }

 private:
  Moments moments_below(double u) const {
    if (!(u > 0.0)) return {};
    if (u >= static_cast<double>(kHistogramBins)) return below_.back();
    const auto bin = static_cast<std::int64_t>(u);
    const auto count = static_cast<double>(histogram_.counts[bin]);
    return below_[bin] + moments_of_bin(bin, u - static_cast<double>(bin), count);
  }

  const Histogram& histogram_;
  double low_, bin_width_;
  std::vector<Moments> below_;  // of all bins before each edge
};

/// Error of ranges on grids of given codes, and the best range so far.
class Search {
 public:
  Search(const Histogram& histogram, std::int32_t qmin, std::int32_t qmax, bool symmetric)
      : error_(histogram), qmin_(qmin), qmax_(qmax), symmetric_(symmetric) {}

  /// Whether [low, high] is better than all before.
  bool visit(double low, double high) {
    const ClippingRange range{static_cast<float>(low), static_cast<float>(high)};
    if (range.low == 0.0f && range.high == 0.0f) return false;
    const double error = error_(grid_of_range(range.low, range.high, qmin_, qmax_, symmetric_));
    if (found_ && !(error < best_.mean_squared_error)) return false;
    found_ = true;
    best_ = {range.low, range.high, error};
    return true;
  }
  const ClippingRange& best() const { return best_; }

 private:
  ErrorOfGrid error_;
  std::int32_t qmin_, qmax_;
  bool symmetric_, found_ = false;
  ClippingRange best_;
};

constexpr std::int64_t kSteps = 1024, kCoarseStep = 32;

/// The affine candidates, as histogram.h says: all coarse pairs, then always finer neighbours.
void visit_pairs(double low, double high, Search& search) {
  std::int64_t best_i = kSteps, best_j = kSteps;
  const auto visit = [&](std::int64_t i, std::int64_t j) {
    return search.visit(low * (static_cast<double>(i) / kSteps), high * (static_cast<double>(j) / kSteps));
  };
  for (std::int64_t i = kSteps; i >= 0; i -= kCoarseStep) {
    for (std::int64_t j = kSteps; j >= 0; j -= kCoarseStep) {
      if (!visit(i, j)) continue;
      best_i = i;
      best_j = j;
    }
  }
  for (std::int64_t step = kCoarseStep / 2; step > 0; step /= 2) {
    for (bool moved = true; moved;) {
      moved = false;
      const std::int64_t center_i = best_i, center_j = best_j;
      for (const std::int64_t i : {center_i + step, center_i, center_i - step}) {
        for (const std::int64_t j : {center_j + step, center_j, center_j - step}) {
          if (std::min(i, j) < 0 || std::max(i, j) > kSteps || !visit(i, j)) continue;
          best_i = i;
          best_j = j;
          moved = true;
        }
      }
    }
  }
}

}  // namespace

double mean_squared_error(const Histogram& histogram, const AffineGrid& grid) {
  return ErrorOfGrid(histogram)(grid);
}

ClippingRange least_error_range(const Histogram& histogram, std::int32_t qmin, std::int32_t qmax,
                                bool symmetric) {
  if (histogram.total() == 0) return {};
  const double low = std::min(histogram.range.low, 0.0f), high = std::max(histogram.range.high, 0.0f);
  Search search(histogram, qmin, qmax, symmetric);
  if (!symmetric) {
    visit_pairs(low, high, search);
    return search.best();
  }
  const double magnitude = std::max(-low, high);
  for (std::int64_t k = kHistogramBins; k > 0; --k) {
    const double threshold = magnitude * (static_cast<double>(k) / static_cast<double>(kHistogramBins));
    search.visit(-threshold, threshold);
  }
  return search.best();
}

}  // namespace samebits::kernels
