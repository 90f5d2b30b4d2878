// Two npy files as examples.
#pragma once

#include <filesystem>
#include <string>

#include "training/readers/arrays.h"

namespace samebits::training {

struct NpyOptions {
  TargetKind kind = TargetKind::kAny;  // kAny: whole numbers are classes
  const Arrays* training = nullptr;  // the part whose kind of target and number of classes this one must have
};

/// FOLDER/x SUFFIX.npy holds [n, features], [n, length, features] or [n, channels, height, width], FOLDER/y
/// SUFFIX.npy the classes [n], or the real targets [n] or [n, outputs]. Unsigned bytes are images' values.
/// Throws UsageError "[data] PATH: expected …" on other shapes, different counts, a class below 0 or above
/// those of training.
Arrays read_npy_folder(const std::filesystem::path& folder, const std::string& suffix,
                       const NpyOptions& options);

}  // namespace samebits::training
