// What the operators of two numbers share.
#pragma once

#include "kernels/float/arithmetic.h"
#include "kernels/logic/logic.h"
#include "runtime/evaluator.h"

namespace samebits::runtime {

/// y = a ? b in float32.
void run_floats(const Call& call, kernels::Arithmetic kind);
/// The same, or of int64.
void run_numbers(const Call& call, kernels::Arithmetic floats, kernels::IntegerKind integers);

}  // namespace samebits::runtime
