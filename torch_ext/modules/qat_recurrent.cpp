#include "torch_ext/modules/qat_recurrent.h"

#include <algorithm>

#include "csrc/float/functions.h"
#include "torch_ext/graph/traced_layer.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

using torch::Tensor;

/// While it lives, inputs of a layer move no range.
class RangePause {
 public:
  explicit RangePause(ActivationQuantizer& input) : input_(input) { input_.set_paused(true); }
  ~RangePause() { input_.set_paused(false); }
  RangePause(const RangePause&) = delete;
  RangePause& operator=(const RangePause&) = delete;

 private:
  ActivationQuantizer& input_;
};

}  // namespace

QATRecurrentImpl::QATRecurrentImpl(const RecurrentOptions& options, Tensor weight_of, Tensor bias_of)
    : QATLayer("QATRecurrent", {.cell = options.has_cells ? "lstm" : "gru"}, std::move(weight_of),
               std::move(bias_of), /*owns=*/false),
      options_(options) {}

void QATRecurrentImpl::check(const Tensor& gates) const {
  const std::int64_t rows = weight.size(0), time = options_.is_batch_first ? 1 : 0;
  TORCH_CHECK(gates.dim() == 3 && gates.size(2) == rows && gates.size(time) >= 1, "[", kind(), "] ", path(),
              ": expected gates ", options_.is_batch_first ? "[batch, steps, " : "[steps, batch, ", rows,
              "] of at least one step, got ", gates.sizes());
}

QATRecurrentImpl::Step QATRecurrentImpl::next(const Tensor& gates, const Tensor& products,
                                              const Step& before) const {
  const std::int64_t n = weight.size(1);
  if (!options_.has_cells) {
    const Tensor rz = ops::sigmoid(gates.narrow(1, 0, 2 * n) + products.narrow(1, 0, 2 * n));
    const Tensor reset = rz.narrow(1, 0, n) * products.narrow(1, 2 * n, n);
    const Tensor fresh = ops::tanh(gates.narrow(1, 2 * n, n) + reset);
    return {(before.h - fresh) * rz.narrow(1, n, n) + fresh, Tensor()};
  }
  const Tensor sums = gates + products;
  const Tensor input_forget = ops::sigmoid(sums.narrow(1, 0, 2 * n)),
               cell = ops::tanh(sums.narrow(1, 2 * n, n)), output = ops::sigmoid(sums.narrow(1, 3 * n, n));
  const Tensor c = input_forget.narrow(1, n, n) * before.c + input_forget.narrow(1, 0, n) * cell;
  return {output * ops::tanh(c), c};
}

Tensor QATRecurrentImpl::run(const Tensor& gates, const Tensor& h, const Tensor& c) {
  check(gates);
  const std::int64_t time = options_.is_batch_first ? 1 : 0;
  std::vector<Tensor> xs = gates.unbind(time), before, products, states, ys;
  if (options_.is_reverse) std::ranges::reverse(xs);
  const Tensor zero = gates.new_zeros({gates.size(1 - time), weight.size(1)});
  Step step{h.defined() ? h : zero, c.defined() ? c : zero};
  if (h.defined()) states.push_back(h);
  {
    const RangePause pause(input());
    for (const Tensor& x : xs) {
      before.push_back(step.h);
      products.push_back(quantizer().run(step.h, {weight, bias}));
      step = next(x, products.back(), step);
      states.push_back(step.h);
      ys.push_back(options_.gives_cells ? torch::cat({step.h, step.c}, 1) : step.h);
    }
  }
  if (input().is_moving()) input().observe(torch::cat(states).detach(), path(), quantizer().flags());
  if (LayerWatch::is_watching()) LayerWatch::report(*this, torch::stack(before), torch::stack(products));
  if (options_.is_reverse) std::ranges::reverse(ys);
  return torch::stack(ys, time);
}

Tensor QATRecurrentImpl::forward(const Tensor& gates, const Tensor& h, const Tensor& c) {
  TracedLayer traced;
  Tensor y = run(gates, h, c);
  traced.record(*this, {gates, h, c}, y);
  return y;
}

}  // namespace samebits
