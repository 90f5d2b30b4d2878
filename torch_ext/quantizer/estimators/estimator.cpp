#include "torch_ext/quantizer/estimators/estimator.h"

#include "csrc/quantize/fake_quantize.h"
#include "torch_ext/quantizer/estimators/dorefa.h"
#include "torch_ext/quantizer/estimators/ewgs.h"
#include "torch_ext/quantizer/estimators/lsq.h"
#include "torch_ext/quantizer/estimators/lsq_plus.h"
#include "torch_ext/quantizer/estimators/pact.h"
#include "torch_ext/quantizer/estimators/ste.h"

namespace samebits {

using torch::Tensor;

Tensor Estimator::quantized(const Tensor& values, const EstimatedGrid& grid) const {
  return std::get<0>(ops::fake_quantize(values, grid.scale.detach(), grid.zero_point, grid.qmin, grid.qmax,
                                        /*axis=*/0, grid.group_size));
}

std::unique_ptr<Estimator> make_estimator(const LayerConfig& config) {
  switch (config.estimator) {
    case EstimatorKind::kSte:
      return std::make_unique<Ste>();
    case EstimatorKind::kLsq:
      return std::make_unique<Lsq>();
    case EstimatorKind::kLsqPlus:
      return std::make_unique<LsqPlus>();
    case EstimatorKind::kPact:
      return std::make_unique<Pact>();
    case EstimatorKind::kDorefa:
      return std::make_unique<Dorefa>();
    case EstimatorKind::kEwgs:
      return std::make_unique<Ewgs>(config.ewgs_delta);
  }
  return nullptr;
}

Tensor spread(const Tensor& per_grid, const Tensor& like, std::int64_t group_size) {
  if (per_grid.numel() == 1) return per_grid.reshape(std::vector<std::int64_t>(like.dim(), 1));
  if (group_size > 0)
    return per_grid.repeat_interleave(group_size, /*dim=*/1).narrow(1, 0, like.size(1)).view_as(like);
  std::vector<std::int64_t> shape(like.dim(), 1);
  shape[0] = per_grid.numel();
  return per_grid.reshape(shape);
}

Tensor gathered(const Tensor& values, const Tensor& scale, std::int64_t group_size) {
  Tensor rows = values.to(torch::kDouble).reshape({scale.numel() == 1 ? 1 : values.size(0), -1});
  if (group_size > 0) {
    const std::int64_t groups = scale.size(1), missing = groups * group_size - rows.size(1);
    rows = at::constant_pad_nd(rows, {0, missing}).view({-1, group_size});
  }
  return rows.sum(1).to(torch::kFloat).view(scale.sizes());
}

}  // namespace samebits
