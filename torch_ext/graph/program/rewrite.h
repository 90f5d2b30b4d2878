// Changes of a program that keep what it computes, or change it to what ships.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "torch_ext/config/qconfig.h"
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

/// An embedding that could be of codes.
struct EmbeddingSite {
  std::string path;  // of its module
  bool is_skipped = false;
};

/// Embeddings of float32 parameters as rows of codes of config.embedding_bits, where it is not 0, but for
/// those that the configuration skips. Tables with gradients of other kinds (sparse, by frequency) stay.
std::vector<EmbeddingSite> quantize_embeddings(Program& program, const QConfig& config);

/// Removes views of parameters, and zeros, that nobody reads any more.
void remove_unread(Program& program);

}  // namespace samebits
