// Gradients of gradients. The straight-through gradients of layers have none that would mean anything: who
// asks for one gets an error that names the operator, never silent zeros.
#pragma once

#include <torch/library.h>

namespace samebits::ops {

/// The Autograd kernel of an operator that computes a gradient: its own outputs cannot be differentiated.
torch::CppFunction without_second_derivative();

}  // namespace samebits::ops
