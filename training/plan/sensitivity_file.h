// sensitivity.json in a run's folder: what samebits sensitivity measured and samebits plan reads.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "torch_ext/ptq/sensitivity.h"

namespace samebits::training {

/// With what the layers were measured. Files of other conditions are not gone on with.
struct SensitivityConditions {
  std::string checkpoint_sha256;  // of the checkpoint's file
  std::string metric;             // "loss" or "score"; empty: none
  std::int64_t examples = 0;      // training examples that the metric looked at
  std::vector<int> bits;
  bool hessian = false;
  friend bool operator==(const SensitivityConditions&, const SensitivityConditions&) = default;
};

struct SensitivityFile {
  SensitivityConditions conditions;
  std::vector<LayerSensitivity> layers;
};

nlohmann::ordered_json to_json(const SensitivityFile& file);

/// Throws UsageError that names `path` when the text is none of to_json().
SensitivityFile sensitivity_of_json(const nlohmann::ordered_json& json, const std::string& path);

}  // namespace samebits::training
