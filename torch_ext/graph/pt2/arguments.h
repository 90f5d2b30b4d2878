// An argument of a node in an archive: its type is a key around it, as in {"as_int": 3}.
#pragma once

#include <ATen/core/function_schema.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "torch_ext/graph/program/program.h"

namespace samebits::pt2 {

using Scope = std::map<std::string, ProgramArgument>;  // a graph's names; a subgraph has its own

/// Throws std::runtime_error for what is not supported, and for a name that is not there.
ProgramArgument argument(const nlohmann::json& tagged, const Scope& scope);
/// The name in {"as_tensor": {"name": "x"}} or {"as_sym_int": {"as_name": "n"}}.
std::string name_of(const nlohmann::json& tagged);

}  // namespace samebits::pt2
