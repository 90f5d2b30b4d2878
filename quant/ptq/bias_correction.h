// Bias correction: what rounding a weight moves the mean of each output by, taken from the bias. M. Nagel,
// M. van Baalen, T. Blankevoort, M. Welling, Data-Free Quantization Through Weight Equalization and Bias
// Correction, ICCV 2019, section 4.2, with the means of calibration instead of BatchNorm's.
#pragma once

#include <cstdint>
#include <vector>

namespace samebits::quant {

/// sum_k (w_k - ŵ_k) mean_k of each row, to be added to its bias. `mean` is that of the layer's inputs,
/// [features]; weights [rows][features]. In double, ascending. Throws std::invalid_argument when sizes
/// differ or a mean is not finite.
std::vector<float> bias_correction(const std::vector<float>& weight, const std::vector<float>& reals,
                                   std::int64_t rows, const std::vector<double>& mean);

}  // namespace samebits::quant
