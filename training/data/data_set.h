// The data that a configuration names, ready to train on: each source's reader, then one way for all.
#pragma once

#include <memory>
#include <vector>

#include "training/config.h"
#include "training/data/examples.h"
#include "training/readers/arrays.h"

namespace samebits::training {

struct DataSet {
  std::unique_ptr<Examples> train, validation, test;  // validation: null where there is none
  std::vector<std::int64_t> input;                    // the shape of one example
  bool is_tokens = false;                             // int64 inputs, a target each
  TargetKind target = TargetKind::kClasses;
  std::int64_t outputs = 0;  // classes, real targets, or tokens that there are
  torch::Tensor background;  // of images [channels, 1, 1]: their normalized 0; undefined elsewhere
};

/// Reads everything; inputs are normalized by the training part. `kind` is what the loss wants. Throws
/// UsageError "[data] …" and "[plugin] …".
DataSet load_data(const DataConfig& config, TargetKind kind);

}  // namespace samebits::training
