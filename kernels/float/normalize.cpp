#include "kernels/float/normalize.h"

#include <cmath>

namespace samebits::kernels {

void batch_norm_terms(const BatchNormTerms& terms, std::int64_t channels, float* scale, float* bias) {
  for (std::int64_t c = 0; c < channels; ++c) {
    const float weight = terms.weight == nullptr ? 1.0f : terms.weight[c];
    scale[c] = weight / std::sqrt(terms.var[c] + terms.eps);
    bias[c] = -terms.mean[c] * scale[c] + (terms.bias == nullptr ? 0.0f : terms.bias[c]);
  }
}

}  // namespace samebits::kernels
