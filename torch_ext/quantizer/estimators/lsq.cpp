#include "torch_ext/quantizer/estimators/lsq.h"

#include "csrc/quantize/fake_quantize_learned.h"

namespace samebits {

torch::Tensor Lsq::quantized(const torch::Tensor& values, const EstimatedGrid& grid) const {
  return std::get<0>(ops::fake_quantize_learned(values, grid.scale, grid.zero_point, grid.qmin, grid.qmax,
                                                /*axis=*/0, grid.group_size));
}

}  // namespace samebits
