// Which submodule an operator belongs to, where what a program was read from does not say.
#pragma once

#include "torch_ext/graph/program/program.h"

namespace samebits {

/// Nodes that read parameters belong to the module that has them; of a tied one, the first reader to the
/// first name and so on. Others belong to what the scopes before and after them have in common.
void infer_scopes(Program& program);

}  // namespace samebits
