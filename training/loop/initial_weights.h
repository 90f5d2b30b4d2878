// Weights that a run begins with, from a file.
#pragma once

#include <torch/nn.h>

#include <filesystem>

namespace samebits::training {

/// Copies every parameter and buffer from a safetensors file, by name, or from a checkpoint of samebits
/// train, in float or in QAT; ranges and states of quantizers are not taken. F16, BF16 and F64 are rounded to
/// float32. Throws UsageError "[init] FILE: NAME: expected …" on a tensor that is missing, unknown, of
/// another shape or type, or not finite; the model is then as it was.
void load_initial_weights(torch::nn::Module& model, const std::filesystem::path& file);

}  // namespace samebits::training
