#include "kernels/matmul/linear.h"

namespace samebits::kernels {
namespace {

GemmInt8Args gemm_args(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                       void* output, bool relu) {
  return {.a = x_codes,
          .a_stride = weights.k,
          .b = weights.codes.data(),
          .n = weights.n,
          .k = weights.k,
          .group_size = weights.grouped ? weights.group_size : 0,
          .x_scale = terms.x_scale,
          .output = output,
          .output_stride = weights.n,
          .epilogue = {.terms = {terms.correction.data(), terms.scale.data(), terms.bias}, .relu = relu}};
}

}  // namespace

LayerTerms layer_terms(const PackedWeight& weights, const AffineGrid& x_grid, const float* bias) {
  LayerTerms terms{.scale = weights.scale, .x_scale = x_grid.scale, .bias = bias};
  terms.correction.resize(weights.sums.size());
  for (std::size_t i = 0; i < weights.sums.size(); ++i)
    terms.correction[i] = x_grid.zero_point * weights.sums[i];
  if (!weights.grouped)
    for (float& scale : terms.scale) scale = x_grid.scale * scale;
  return terms;
}

void linear(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes, float* y,
            const GemmRegion& region, bool relu) {
  gemm_int8(gemm_args(weights, terms, x_codes, y, relu), region);
}

bool linear_codes(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                  const AffineGrid& grid, std::int8_t* codes, const GemmRegion& region, bool relu) {
  GemmInt8Args args = gemm_args(weights, terms, x_codes, codes, relu);
  args.epilogue.output = GemmOutput::kCodes;
  args.epilogue.grid = grid;
  return gemm_int8(args, region);
}

}  // namespace samebits::kernels
