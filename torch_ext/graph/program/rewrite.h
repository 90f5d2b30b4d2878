// Changes of a program that keep what it computes, or change it to what ships.
#pragma once

#include <map>
#include <string>

#include "torch_ext/graph/program/program.h"

namespace samebits {

/// `_convolution`, which a trace shows, as conv1d to conv3d or transposed ones: without the settings of the
/// moment of tracing.
void use_public_convolutions(Program& program);

/// conv1d as a conv2d of height 1, where its padding is written as a number.
void use_flat_convolutions(Program& program);

/// Operators whose bits are their library's, by those that have ours (`exact`: from ATen kind to operator),
/// where the arguments say the same; in place only where nobody else sees what they write to.
void use_exact_operators(Program& program, const std::map<std::string, std::string>& exact);

/// Removes views of parameters, and zeros, that nobody reads any more.
void remove_unread(Program& program);

}  // namespace samebits
