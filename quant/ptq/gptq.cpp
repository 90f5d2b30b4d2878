#include "quant/ptq/gptq.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "quant/ptq/on_grid.h"

namespace samebits::quant {
namespace {

/// The sum of a[i] b[i], in four partial sums that the compiler may keep in vectors.
double dot(const double* a, const double* b, std::int64_t n) {
  double sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::int64_t lane = 0; lane < 4; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void check(const std::vector<float>& weight, std::int64_t rows, const InputMoment& moment) {
  const std::int64_t n = moment.features;
  const auto fail = [](const std::string& text) { throw std::invalid_argument("[gptq] " + text); };
  if (static_cast<std::int64_t>(moment.values.size()) != n * n ||
      static_cast<std::int64_t>(weight.size()) != rows * n)
    fail("moment: expected " + std::to_string(n) + " x " + std::to_string(n) + " values for a weight of " +
         std::to_string(rows) + " rows, got " + std::to_string(moment.values.size()) + " for " +
         std::to_string(weight.size()) + " weights");
  for (const double value : moment.values)
    if (!std::isfinite(value)) fail("moment: expected finite values, got " + std::to_string(value));
}

double damped(const InputMoment& moment, double damping) {
  double trace = 0;
  for (std::int64_t i = 0; i < moment.features; ++i) trace += moment.values[i * moment.features + i];
  if (!(trace > 0))
    throw std::invalid_argument(
        "[gptq] moment: expected inputs that are not all 0; calibrate on other batches");
  return damping * trace / static_cast<double>(moment.features);
}

/// Uᵀ of (moment + added I) = U D Uᵀ, U unit upper triangular: row k of the result holds U_jk for j < k.
std::vector<double> feedback(const InputMoment& moment, double added) {
  const std::int64_t n = moment.features;
  std::vector<double> u(moment.values), row(n), d(n);  // u: U row by row, right of its diagonal
  for (std::int64_t k = n - 1; k >= 0; --k) {
    const std::int64_t behind = n - 1 - k;
    double* uk = u.data() + k * n + k + 1;
    for (std::int64_t l = 0; l < behind; ++l) row[l] = uk[l] * d[k + 1 + l];
    d[k] = u[k * n + k] + added - dot(uk, row.data(), behind);
    for (std::int64_t j = 0; j < k; ++j) {
      double* uj = u.data() + j * n;
      uj[k] = (uj[k] - dot(uj + k + 1, row.data(), behind)) / d[k];
    }
  }
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < k; ++j) std::swap(u[k * n + j], u[j * n + k]);
  return u;
}

}  // namespace

std::vector<float> gptq(const std::vector<float>& weight, std::int64_t rows, const InputMoment& moment,
                        const Encoding& encoding, double damping) {
  check(weight, rows, moment);
  const std::int64_t n = moment.features;
  const OwnGrids grids(weight.data(), rows, n, encoding);
  const std::vector<double> u = feedback(moment, damped(moment, damping));
  std::vector<float> reals(weight.size());
  std::vector<double> lost(n);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t k = 0; k < n; ++k) {
      const double target = double{weight[row * n + k]} + dot(lost.data(), u.data() + k * n, k);
      const float real = grids.nearest_real(row, k, target);
      reals[row * n + k] = real;
      lost[k] = double{weight[row * n + k]} - double{real};
    }
  return reals;
}

double output_error(const std::vector<float>& weight, const std::vector<float>& reals, std::int64_t rows,
                    const InputMoment& moment) {
  const std::int64_t n = moment.features;
  std::vector<double> lost(n);
  double sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t k = 0; k < n; ++k) lost[k] = double{weight[row * n + k]} - double{reals[row * n + k]};
    for (std::int64_t k = 0; k < n; ++k)
      if (lost[k] != 0) sum += lost[k] * dot(lost.data(), moment.values.data() + k * n, n);
  }
  return sum;
}

}  // namespace samebits::quant
