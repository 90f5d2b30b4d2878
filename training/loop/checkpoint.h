// Checkpoints: one safetensors file with parameters, buffers, optimizer state, how far training is and by
// which scheme the layers compute. The same training gives the same bytes. Readable from Python with the
// safetensors package.
//
// Metadata: `position`, `scheme` (once layers are quantized: what each computes with), and `crc32c`, of the
// file's bytes as they are without this entry. A file of neither scheme nor crc32c was written before there
// were any.
#pragma once

#include <torch/nn.h>
#include <torch/optim.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/safetensors.h"

namespace samebits::training {

/// How far training is. `phase` is "fp32" or "qat"; epochs and steps count within the phase.
struct TrainingPosition {
  std::string phase = "fp32";
  std::int64_t epoch = 0;          // finished
  std::int64_t step_in_epoch = 0;  // done
  double loss_sum = 0;             // of this epoch's samples, for its mean
  std::int64_t samples = 0;        // of this epoch
  bool is_qat() const { return phase == "qat"; }
  friend bool operator==(const TrainingPosition&, const TrainingPosition&) = default;
};

/// Writes atomically: on a full disk the file that was there stays. Throws io::WriteError "[write] …".
void save_checkpoint(const std::filesystem::path& path, torch::nn::Module& model,
                     torch::optim::Optimizer& optimizer, const TrainingPosition& position);

/// A checkpoint, read once and whole. Everything throws UsageError "[checkpoint] PATH: …" on what does not
/// fit.
class Checkpoint {
 public:
  /// Also "[safetensors] …"; refuses a file whose checksum is another.
  static Checkpoint read(const std::filesystem::path& path);

  const TrainingPosition& position() const { return position_; }

  /// Throws unless the position is one of a phase of `epochs` epochs of `steps` steps each.
  void check_position(std::int64_t epochs, std::int64_t steps) const;

  /// Parameters and buffers, by name. Throws when a name is missing or unknown, a shape or type differs, a
  /// quantizer's state is none, or the layers of `model` compute with another scheme; the model is then as it
  /// was.
  void load_model(torch::nn::Module& model) const;

  /// The optimizer's state, and torch's default generator as it was.
  void load_optimizer(torch::nn::Module& model, torch::optim::Optimizer& optimizer) const;

 private:
  Checkpoint(std::filesystem::path path, io::SafetensorsFile file)
      : path_(std::move(path)), file_(std::move(file)) {}
  [[noreturn]] void fail(const std::string& what) const;
  void check_checksum() const;
  void read_position();
  void check_scheme(torch::nn::Module& model) const;

  std::filesystem::path path_;
  io::SafetensorsFile file_;
  TrainingPosition position_;
};

/// Enters the checksum of a checkpoint whose metadata or tensors were changed.
void seal_checkpoint(io::SafetensorsFile& file);

}  // namespace samebits::training
