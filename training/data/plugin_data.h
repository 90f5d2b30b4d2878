// A data set that a plug-in makes.
#pragma once

#include "training/data/data_set.h"

namespace samebits::training {

/// Throws UsageError "[plugin] …" also on tensors of wrong types and shapes.
DataSet load_plugin_data(const DataConfig& config);

}  // namespace samebits::training
