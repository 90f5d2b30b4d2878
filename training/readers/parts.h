// The parts of a data set: training, validation and test, as the source has them or cut off by chance.
// Torch-free.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "training/config.h"
#include "training/readers/arrays.h"

namespace samebits::training {

struct Parts {
  Arrays train;
  std::optional<Arrays> validation;
  Arrays test;
};

/// Reads what `config` names, but texts and plug-ins. A part that the source does not have is cut off from
/// training. Throws UsageError "[data] …" on what the reader of the source refuses and on parts of different
/// shapes.
Parts read_parts(const DataConfig& config, TargetKind kind);

/// Limits, and what is missing: `fraction` of the examples of training each, by `config.split_seed`. Throws
/// when one would be empty.
Parts cut_parts(Arrays train, std::optional<Arrays> validation, std::optional<Arrays> test,
                const DataConfig& config);

/// Of `count` elements, how many a fraction takes: rounded, at least 1. Throws when nothing would be left.
std::int64_t part_size(std::int64_t count, double fraction, const DataConfig& config);

/// The files of a text or a table: PATH itself, or PATH/{train,validation,test}EXTENSION where PATH is a
/// folder.
struct PartFiles {
  std::filesystem::path train;
  std::optional<std::filesystem::path> validation, test;
};
PartFiles part_files(const std::filesystem::path& path, const std::string& extension);

}  // namespace samebits::training
