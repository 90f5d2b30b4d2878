#include "quant/ptq/bias_correction.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace samebits::quant {

std::vector<float> bias_correction(const std::vector<float>& weight, const std::vector<float>& reals,
                                   std::int64_t rows, const std::vector<double>& mean) {
  const auto features = static_cast<std::int64_t>(mean.size());
  if (static_cast<std::int64_t>(weight.size()) != rows * features || weight.size() != reals.size())
    throw std::invalid_argument("[bias_correction] weight: expected " + std::to_string(rows) + " x " +
                                std::to_string(features) + " values before and after, got " +
                                std::to_string(weight.size()) + " and " + std::to_string(reals.size()));
  for (const double each : mean)
    if (!std::isfinite(each))
      throw std::invalid_argument("[bias_correction] mean: expected finite values, got " +
                                  std::to_string(each));
  std::vector<float> added(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::int64_t k = 0; k < features; ++k)
      sum += (double{weight[row * features + k]} - double{reals[row * features + k]}) * mean[k];
    added[row] = static_cast<float>(sum);
  }
  return added;
}

}  // namespace samebits::quant
