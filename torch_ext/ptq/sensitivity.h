// How much a model loses when the weight of one layer is quantized to b bits and all else stays float: by
// the user's own metric, exactly; and by two cheap measures, the weight's signal to noise and HAWQ-V2's.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "planner/layer_cost.h"
#include "torch_ext/config/qconfig.h"
#include "torch_ext/forward.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {

/// One layer at one width. NaN: not asked for.
struct BitsSensitivity {
  int bits = 8;
  double sqnr_db = 0;  // of the weight: 10 log10(sum w² / sum (w - ŵ)²); infinite where nothing is lost
  double score_drop = std::numeric_limits<double>::quiet_NaN();  // score of the float model minus score
  double hessian = std::numeric_limits<double>::quiet_NaN();     // trace / n * sum (w - ŵ)²
};

struct LayerSensitivity {
  planner::LayerShape shape;
  std::string kind;  // "linear" or "conv2d"
  double hessian_trace = std::numeric_limits<double>::quiet_NaN();
  std::vector<BitsSensitivity> bits;
};

class SensitivityAnalyzer {
 public:
  /// Of the layers that prepare() set up, whatever their state: they compute in float for as long as the
  /// analyzer lives, and then are what they were. `config` says how weights of each path are encoded but for
  /// their bits. Runs `example` once, of batch 1, to see shapes. Throws c10::Error when no layer is
  /// reached. The model must outlive the analyzer.
  SensitivityAnalyzer(const ModelRef& model, const QConfig& config, const torch::Tensor& example);
  ~SensitivityAnalyzer();
  SensitivityAnalyzer(const SensitivityAnalyzer&) = delete;
  SensitivityAnalyzer& operator=(const SensitivityAnalyzer&) = delete;

  /// In the order in which the example met them.
  const std::vector<std::string>& paths() const { return paths_; }

  /// What a higher number of is better: accuracy, or minus a loss. Runs the model as often as it likes.
  using Score = std::function<double()>;
  /// The mean loss over some fixed examples, with gradient.
  using Loss = std::function<torch::Tensor()>;

  /// The layer at each of `bits`, 2..8. Neither function is required. The weight is put back bit for bit,
  /// also when one throws. `float_score`: of the model as it is. Throws c10::Error that names the layer
  /// when its weight is not finite.
  LayerSensitivity analyze(std::size_t index, const std::vector<int>& bits, const Score& score,
                           double float_score, const Loss& loss) const;

 private:
  /// What the analyzer changes of a layer and puts back.
  struct State {
    LayerConfig config;
    QuantizerState state;
  };
  double hessian_trace(QATLayer& layer, const Loss& loss) const;

  ModelRef model_;
  QConfig config_;
  std::vector<std::string> paths_;
  std::vector<std::shared_ptr<QATLayer>> layers_;
  std::vector<planner::LayerShape> shapes_;
  std::vector<State> states_;
};

/// The trace of the Hessian of `loss` by `weight`, by Hutchinson's estimator: the mean over `samples`
/// random signs v of vᵀHv (Z. Dong et al., HAWQ-V2, 2020, section 3), where Hv = (g(w + ev) - g(w - ev)) /
/// 2e is a central difference of gradients, e = 2^-7 of the weight's root mean square: exact for a
/// quadratic loss, and no operator needs a second derivative. The signs depend on `seed` alone.
double hutchinson_trace(torch::Tensor& weight, const std::function<torch::Tensor()>& loss,
                        std::int64_t samples, std::uint64_t seed);

}  // namespace samebits
