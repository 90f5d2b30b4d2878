// A graph's parameters and buffers in a safetensors file, under the names of its state dict.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "torch_ext/graph/program/program.h"

namespace samebits {

using NamedTensors = std::map<std::string, at::Tensor>;

/// Every name of every parameter and buffer that the source has, tied ones sharing a tensor; not the
/// quantizers' state.
NamedTensors named_state(const Program& program);

/// Throws std::runtime_error that names the path, or a tensor of a dtype that the format does not have.
void write_state(const std::filesystem::path& path, const NamedTensors& tensors);
/// Copies the file's values into `tensors`. Throws std::runtime_error that names a tensor which is missing,
/// unknown or of another shape or dtype; then nothing is changed.
void read_state(const std::filesystem::path& path, const NamedTensors& tensors);

}  // namespace samebits
