// A program from traces of a C++ module: what GraphModule runs.
#pragma once

#include "torch_ext/forward.h"
#include "torch_ext/graph/program/program.h"
#include "torch_ext/graph/trace.h"

namespace samebits {

/// Every operator of the trace, sizes in symbols, with the scope that its parameters tell. Throws c10::Error
/// that names what is no operator, or a size that follows the batch in no simple way.
Program program_of(const TracedModel& traced, const torch::nn::Module& module);

}  // namespace samebits
