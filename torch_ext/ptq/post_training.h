// Quantizes a trained float model without training: ranges of activations from calibration batches, weights
// put on their grids by a rounding method. What results is a frozen model as training leaves it: convert()
// and verify() take it, and training may go on from it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/observe/histogram.h"
#include "torch_ext/prepare.h"

namespace samebits {

/// How the range of an activation comes from its histogram.
enum class RangeRule {
  kMinMax,
  kPercentile,  // percentile_range (kernels/observe/histogram.h)
  kLeastError,  // least_error_range: mean squared error
  kKl           // quant/ptq/kl_range.h
};

/// How a weight's codes come from its values.
enum class Rounding {
  kNearest,
  kGptq  // quant/ptq/gptq.h
};

struct PtqConfig {
  RangeRule range = RangeRule::kMinMax;
  double percentile = 0.9999;  // kPercentile: the part of the values that is not above, in [0.5, 1]
  Rounding rounding = Rounding::kNearest;
  bool corrects_bias = false;  // quant/ptq/bias_correction.h, for layers that have a bias
  friend bool operator==(const PtqConfig&, const PtqConfig&) = default;
};

/// What calibration saw at a layer's input, behind the relu that is part of it.
struct ActivationRecord {
  std::string path;
  std::int64_t batches = 0, values = 0;
  float min = 0, max = 0;
  kernels::Histogram histogram;
  kernels::HistogramRange range;  // by the rule; the grid covers it and 0
  double clipped_percent = 0;     // of the values, outside the range
};

/// How a layer's weight fared.
struct WeightResult {
  std::string path;
  bool is_done = false;  // else the weight and bias are what they were, and nearest codes ship
  std::string note;      // what went wrong
};

class PostTrainingQuantizer {
 public:
  /// `prepared` is what prepare() gave of this model, observing. Both must outlive the quantizer. Throws
  /// c10::Error when the percentile is not in [0.5, 1], or a layer's estimator is dorefa.
  PostTrainingQuantizer(const ModelRef& model, const Prepared& prepared, const PtqConfig& config);
  ~PostTrainingQuantizer();
  PostTrainingQuantizer(const PostTrainingQuantizer&) = delete;
  PostTrainingQuantizer& operator=(const PostTrainingQuantizer&) = delete;

  /// Runs batch(0) to batch(num_batches - 1) in eval mode, in float, and records every layer's input. Throws
  /// c10::Error that names batch and layer: on no batches, an empty one, a NaN or infinity, and on a layer
  /// whose input was one number throughout. Nothing of the model is changed.
  void calibrate(std::int64_t num_batches, const std::function<torch::Tensor(std::int64_t)>& batch);
  const std::vector<ActivationRecord>& records() const { return records_; }

  /// Puts weights on their grids, with Rounding::kGptq in the light of the calibrated inputs, and corrects
  /// biases. A layer that fails is named in the results and stays as it was. With kNearest and no correction
  /// there is nothing to do: a weight's nearest codes are its own. Call after calibrate().
  std::vector<WeightResult> quantize_weights();

  /// Gives each input its calibrated range and freezes all layers. Call last.
  void freeze();

 private:
  struct Moments;
  bool needs_moments() const;
  void record(std::size_t index, const torch::Tensor& x);
  void add_moments(std::size_t index, const torch::Tensor& x);
  void quantize_weight(std::size_t index);

  ModelRef model_;
  const Prepared& prepared_;
  PtqConfig config_;
  std::vector<ActivationRecord> records_;          // of prepared.layers()
  std::vector<std::unique_ptr<Moments>> moments_;  // of the same; empty unless needed
};

}  // namespace samebits
