// Where a NaN or an infinity comes from.
#pragma once

#include <string>

#include "training/data/examples.h"
#include "training/models/model.h"

namespace samebits::training {

/// "the output of fc1": where the first one turns up, found in a second forward that looks at everything.
std::string first_non_finite(const TrainableModel& model, const Batch& batch);

/// The name of the first parameter that holds one; empty when all are finite.
std::string first_non_finite_parameter(torch::nn::Module& model);

}  // namespace samebits::training
