// How the values of a tensor are spread: counts of equal bins over a range, and the ranges that an observer
// takes from them. Counts are exact integers, so that neither the order of elements nor the number of threads
// shows.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/float_type.h"
#include "kernels/common/kernel.h"
#include "kernels/observe/min_max.h"

namespace samebits::kernels {

constexpr std::int64_t kHistogramBins = 2048;

/// What turns a value into a bin: bin(x) = floor(position) limited to 0..2047, where in float32
///   position = (x * 0.5 - low * 0.5) * bins_per_half,   bins_per_half = 2048 / (high * 0.5 - low * 0.5)
/// each operation rounded. Halves, because high - low may overflow. Values outside go to the first or the
/// last bin.
struct HistogramRange {
  float low = 0.0f, high = 0.0f;
  friend bool operator==(const HistogramRange&, const HistogramRange&) = default;

  bool is_empty() const { return !(low < high); }
  float half_low() const { return low * 0.5f; }
  float bins_per_half() const { return static_cast<float>(kHistogramBins) / (high * 0.5f - low * 0.5f); }
};

/// The range of a histogram that holds [min, max], both finite: these two; or where they are closer than
/// 2^-20 of the larger magnitude or than 2^-100, each moved outwards by the larger of the two (but not past
/// the largest float).
HistogramRange histogram_range(float min, float max);

/// Empty (range [0, 0], no counts) or made with histogram_range.
struct Histogram {
  HistogramRange range;
  std::array<std::int64_t, kHistogramBins> counts{};
  std::int64_t nans = 0;  // in no bin

  std::int64_t total() const;  // of all bins
};

/// Counts x[begin] to x[end - 1] of `type` into `histogram`, whose range is not empty. Threads count into
/// histograms of their own, which merge() adds. Uses 32 KB of stack.
extern const Kernel<void(const void* x, std::int64_t begin, std::int64_t end, Histogram& histogram,
                         FloatType type)>
    count;

/// The same values in bins of another range, when the old bins spread theirs evenly: new bin i gets
/// F(edge i + 1) - F(edge i), where F(edge) is the old count below the edge, rounded down to an integer.
/// Edges outside the old range count nothing or everything; what lies outside the new range goes to its edge
/// bins. So total() is kept exactly. Computed in double.
Histogram rebin(const Histogram& histogram, HistogramRange range);

/// Both together, on the smallest range that holds both (an empty one has no say). Equal ranges: plain sums,
/// exact.
Histogram merge(const Histogram& a, const Histogram& b);

/// `histogram` on the smallest range that holds its own and histogram_range of a batch: what to count that
/// batch into. Unchanged where the range is wide enough, and where the batch is empty or not finite.
Histogram widened(const Histogram& histogram, const MinMax& batch);

/// The value below which the fraction `p` of [0, 1] of all counts lies, bins spreading theirs evenly. 0 and 1
/// give the ends of the bins that hold anything. 0 for an empty histogram.
float quantile(const Histogram& histogram, double p);

/// [quantile(1 - p), quantile(p)], p >= 0.5.
HistogramRange percentile_range(const Histogram& histogram, double p);

/// A range to make a grid of (grid_of_range), and what quantizing on it costs: the mean of (x - x̂)² over the
/// histogram, bins spreading their counts evenly.
struct ClippingRange {
  float low = 0.0f, high = 0.0f;
  double mean_squared_error = 0.0;
};

/// The mean squared error of quantizing the histogram's values on `grid`, clipping included: the integral
/// over each code's interval, in double. 0 for an empty histogram.
double mean_squared_error(const Histogram& histogram, const AffineGrid& grid);

/// The range with the smallest mean squared error among these candidates, with M the largest magnitude of the
/// histogram's range, low = min(range.low, 0) and high = max(range.high, 0):
///   symmetric: [-t, t] for t = M * k / 2048, k = 1..2048, all of them;
///   affine: [low * i / 1024, high * j / 1024]. First i and j in steps of 32, all pairs; then from the best
///   one, with steps 16, 8, 4, 2, 1, to the best of the eight neighbours for as long as one is better.
/// Candidates are visited from the widest on, and a later one wins only where it is better. All in double.
ClippingRange least_error_range(const Histogram& histogram, std::int32_t qmin, std::int32_t qmax,
                                bool symmetric);

}  // namespace samebits::kernels
