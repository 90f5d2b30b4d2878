// GPTQ: codes of a weight, column after column, each taking in what the columns before it lost on the
// layer's inputs. E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh, GPTQ: Accurate Post-Training
// Quantization for Generative Pre-trained Transformers, ICLR 2023.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/encoding.h"

namespace samebits::quant {

/// The second moment of a layer's inputs: mean of x xᵀ, [features][features] row-major, symmetric.
struct InputMoment {
  std::int64_t features = 0;
  std::vector<double> values;
};

/// Reals on the grids of `weight` [rows][features] that minimize tr((w - ŵ) H (w - ŵ)ᵀ) greedily, with H
/// the moment plus `damping` times the mean of its diagonal on the diagonal. By H = U D Uᵀ, U unit upper
/// triangular:
///   ŵ_k = nearest(w_k + sum_{j<k} (w_j - ŵ_j) U_jk),
/// the same as GPTQ's updates by the inverse's Cholesky factor (J. Chee et al., QuIP, NeurIPS 2023, theorem
/// 6), without an inverse. All in double, ascending. Elements that set a grid's range keep their nearest
/// code (on_grid.h). Throws std::invalid_argument when weight or moment is not finite, sizes differ, or all
/// inputs were 0.
std::vector<float> gptq(const std::vector<float>& weight, std::int64_t rows, const InputMoment& moment,
                        const Encoding& encoding, double damping = 0.01);

/// tr((w - ŵ) moment (w - ŵ)ᵀ): the mean squared error of the layer's outputs, summed over rows.
double output_error(const std::vector<float>& weight, const std::vector<float>& reals, std::int64_t rows,
                    const InputMoment& moment);

}  // namespace samebits::quant
