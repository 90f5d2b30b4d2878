// A trace has a value for each result, but a tensor that is written to in place changes every view of its
// memory. What a trace says of a value that was written to behind its back is not what the model computed.
#pragma once

#include <set>

#include "torch_ext/graph/trace.h"

namespace samebits {

/// Throws c10::Error that names the operator when one of `needed`, or the model's result, reads a value whose
/// memory was written to through another value since it was made. Writes whose own result is read from then
/// on are fine: relu_(), add_().
void check_in_place(const TracedModel& traced, const std::set<const torch::jit::Node*>& needed);

}  // namespace samebits
