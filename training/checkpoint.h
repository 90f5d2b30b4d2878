// Checkpoints: one safetensors file with parameters, buffers, optimizer state and how far training is. The
// same training gives the same bytes. Readable from Python with the safetensors package.
#pragma once

#include <torch/nn.h>
#include <torch/optim.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace samebits::training {

/// How far training is. `phase` is "fp32" or "qat"; epochs and steps count within the phase.
struct TrainingPosition {
  std::string phase = "fp32";
  std::int64_t epoch = 0;          // finished
  std::int64_t step_in_epoch = 0;  // done
  double loss_sum = 0;             // of this epoch's samples, for its mean
  std::int64_t samples = 0;        // of this epoch
  friend bool operator==(const TrainingPosition&, const TrainingPosition&) = default;
};

/// Writes atomically: on a full disk the file that was there stays. Throws io::WriteError "[write] …".
void save_checkpoint(const std::filesystem::path& path, torch::nn::Module& model,
                     torch::optim::Optimizer& optimizer, const TrainingPosition& position);

TrainingPosition read_position(const std::filesystem::path& path);

/// Parameters and buffers, by name. Throws std::runtime_error "[checkpoint] …" when a name is missing or
/// unknown, or a shape or type differs; the model is then as it was.
void load_model(const std::filesystem::path& path, torch::nn::Module& model);

/// The optimizer's state, and torch's default generator as it was.
void load_optimizer(const std::filesystem::path& path, torch::nn::Module& model,
                    torch::optim::Optimizer& optimizer);

}  // namespace samebits::training
