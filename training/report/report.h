// What a run has to show, as plain values, and the HTML page made of them: one file without scripts, fonts or
// anything else from elsewhere, light or dark as the reader's system is. Torch-free.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "training/metric.h"

namespace samebits::training {

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// One line of the run's configuration, such as {"optimizer", "adamw, lr 0.001"}.
struct SummaryRow {
  std::string name, value;
};

/// One evaluation. NaN or infinite values leave a gap in their curve and a dash in the table.
struct EpochPoint {
  double epoch = 0;   // epochs trained so far, finite: 1 after the first
  std::string phase;  // as in PhaseMark
  double train_loss = kMissing, test_loss = kMissing, score = kMissing;
  double seconds = kMissing;  // of training since the point before
};

/// From `epoch` (finite) on, until the next mark, training was in `phase`: "fp32", "observing", "quantizing"
/// or "frozen".
struct PhaseMark {
  double epoch = 0;
  std::string phase;
};

/// One form of the model: "FP32", "PTQ", "QAT", "exported package", "ONNX". The first row is what the others
/// are compared with.
struct ResultRow {
  std::string name;
  double score = kMissing;
  std::optional<std::int64_t> size_bytes = {};
  std::optional<double> step_ms = {};     // one training step
  std::optional<double> step_ratio = {};  // step_ms by that of the first row
};

/// One quantized layer.
struct LayerRow {
  std::string name, kind;          // "conv1", "Conv2d"
  std::string weight, activation;  // schemes in words: "int8 per channel", "int8 affine"
  std::optional<double> input_scale = {};
  std::optional<std::int64_t> zero_point = {};
  std::optional<double> weight_scale_min = {}, weight_scale_max = {};
  std::optional<std::int64_t> size_bytes = {};  // of the weight's codes and grids, as they ship
  std::optional<double> clip_percent =
      {};                              // of the input's elements, behind a relu that is part of the layer
  std::optional<double> sqnr_db = {};  // of the output: signal to quantization noise
  std::int64_t qmin = 0;               // the code that code_counts[0] counts
  std::vector<std::int64_t> code_counts = {};  // how many weights have each code qmin..qmax; empty: not known
};

/// How the exported files compare with the training forward, bit for bit.
struct Verification {
  struct Target {
    std::string name;  // "package", "onnx"
    std::int64_t differing = 0;
    std::int64_t differing_float = 0;  // more, where an engine sums float layers in an order of its own
  };
  std::int64_t images = 0, logits = 0;
  std::vector<Target> targets;
};

/// Test examples by their class (rows) and by the class that the model gives them. Square.
using ConfusionMatrix = std::vector<std::vector<std::int64_t>>;

struct Report {
  Metric metric;        // what every score is
  std::string title;    // the run's name
  std::string machine;  // processor, instruction set, threads
  std::vector<SummaryRow> summary;
  std::vector<EpochPoint> epochs;  // ascending
  std::vector<PhaseMark> phases;   // ascending
  std::vector<ResultRow> results;
  std::vector<LayerRow> layers;
  std::optional<Verification> verification = {};  // null: not verified, and the page says so
  ConfusionMatrix confusion = {};                 // empty: not a model of classes, or of too many to show
  std::string config = {};                        // the whole configuration, as YAML
};

/// The page, UTF-8, well-formed as XML too. Sections without rows are left out.
std::string report_html(const Report& report);

}  // namespace samebits::training
