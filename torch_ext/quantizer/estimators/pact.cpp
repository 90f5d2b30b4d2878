#include "torch_ext/quantizer/estimators/pact.h"

#include <torch/csrc/autograd/custom_function.h>

#include "csrc/quantize/fake_quantize.h"

namespace samebits {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct PactFunction : torch::autograd::Function<PactFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& values, const Tensor& scale,
                        const Tensor& zero_point, std::array<std::int64_t, 3> codes) {
    const auto [qmin, qmax, group_size] = codes;
    context->save_for_backward({values, scale, zero_point.clone()});
    context->saved_data["codes"] = std::vector<std::int64_t>{qmin, qmax, group_size};
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return std::get<0>(ops::fake_quantize(values, scale, zero_point, qmin, qmax, /*axis=*/0, group_size));
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto codes = context->saved_data["codes"].toIntVector();
    const Tensor &values = saved[0], &scale = saved[1], &grad = grads[0];
    const Tensor below = codes[0] - saved[2], above = codes[1] - saved[2];  // in steps of the grid
    const auto over_values = [&](const Tensor& per_grid) { return spread(per_grid, values, codes[2]); };
    const Tensor is_low = values < over_values(below * scale), is_high = values >= over_values(above * scale);
    // A NaN is neither, and passes nothing.
    const Tensor stops = is_low.logical_or(is_high).logical_or(values.isnan());
    const Tensor steps =
        torch::where(is_high, over_values(above), torch::where(is_low, over_values(below), 0));
    return {grad.masked_fill(stops, 0), gathered(grad * steps, scale, codes[2]), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor Pact::quantized(const Tensor& values, const EstimatedGrid& grid) const {
  return PactFunction::apply(values, grid.scale, grid.zero_point,
                             std::array<std::int64_t, 3>{grid.qmin, grid.qmax, grid.group_size});
}

}  // namespace samebits
