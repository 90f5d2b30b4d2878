#include "training/data/data_set.h"

#include <torch/torch.h>

#include <cmath>

#include "training/data/plugin_data.h"
#include "training/data/tensor_set.h"
#include "training/data/text_set.h"
#include "training/readers/data_error.h"
#include "training/readers/parts.h"
#include "training/readers/text_file.h"

namespace samebits::training {
namespace {

constexpr std::int64_t kByteTokens = 256;

DataSet load_arrays(const DataConfig& config, TargetKind kind) {
  const Parts parts = read_parts(config, kind);
  auto train = std::make_unique<TensorSet>(parts.train), test = std::make_unique<TensorSet>(parts.test);
  const Normalization normalization = train->measured_normalization();
  train->normalize_by(normalization);
  test->normalize_by(normalization);
  DataSet set{.train = nullptr,
              .validation = nullptr,
              .test = std::move(test),
              .input = parts.train.shape,
              .target = parts.train.target,
              .outputs = parts.train.outputs,
              .background = {}};
  if (set.input.size() == 3) set.background = train->background();
  set.train = std::move(train);
  if (parts.validation) {
    auto validation = std::make_unique<TensorSet>(*parts.validation);
    validation->normalize_by(normalization);
    set.validation = std::move(validation);
  }
  return set;
}

/// Takes the last `size` bytes off `text`.
std::string take_end(std::string& text, std::int64_t size) {
  const std::string end = text.substr(text.size() - static_cast<std::size_t>(size));
  text.resize(text.size() - static_cast<std::size_t>(size));
  return end;
}

std::unique_ptr<Examples> text_set(std::string_view text, const DataConfig& config, const std::string& part,
                                   std::int64_t limit) {
  const auto sequence = static_cast<std::size_t>(config.sequence);
  if (text.size() <= sequence)
    fail_data(config.path, "more than the " + std::to_string(sequence) + " bytes of data.sequence to " + part,
              std::to_string(text.size()), "shorten the sequence or add text");
  if (limit > 0) text = text.substr(0, static_cast<std::size_t>(limit) * sequence + 1);
  return std::make_unique<TextSet>(text, config.sequence);
}

DataSet load_text(const DataConfig& config) {
  const PartFiles files = part_files(config.path, ".txt");
  std::string train = read_text(files.train), test, validation;
  const auto size = [&](double fraction) {
    return part_size(static_cast<std::int64_t>(train.size()), fraction, config);
  };
  test = files.test ? read_text(*files.test) : take_end(train, size(config.test_fraction));
  if (files.validation)
    validation = read_text(*files.validation);
  else if (config.validation_fraction > 0)
    validation = take_end(train, size(config.validation_fraction));
  DataSet set{.train = text_set(train, config, "train on", config.train_limit),
              .validation = nullptr,
              .test = text_set(test, config, "test with", config.test_limit),
              .input = {config.sequence},
              .is_tokens = true,
              .outputs = kByteTokens,
              .background = {}};
  if (!validation.empty()) set.validation = text_set(validation, config, "validate with", 0);
  return set;
}

}  // namespace

DataSet load_data(const DataConfig& config, TargetKind kind) {
  if (config.source == "text") return load_text(config);
  if (config.source == "library") return load_plugin_data(config);
  return load_arrays(config, kind);
}

}  // namespace samebits::training
