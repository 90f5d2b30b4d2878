// An archive's graph as a program.
#pragma once

#include "torch_ext/graph/program/program.h"
#include "torch_ext/graph/pt2/archive.h"

namespace samebits::pt2 {

/// Throws std::runtime_error that names the node, with its module and its line in Python, and what is not
/// supported.
Program program_of(Archive& archive);

}  // namespace samebits::pt2
