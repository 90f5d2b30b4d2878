// Examples as files hold them: what every reader gives, before anything is normalized. Torch-free.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace samebits::training {

/// What an example's target is. kAny: what the data look like (whole numbers and words are classes).
enum class TargetKind { kAny, kClasses, kReals };

/// Example after example, row-major.
struct Arrays {
  std::int64_t count = 0;
  std::vector<std::int64_t> shape =
      {};  // of one: {channels, height, width}, {length, features} or {features}
  std::vector<std::uint8_t> bytes = {};  // count * shape values, of images; or
  std::vector<float> reals = {};         // the same of anything else
  TargetKind target = TargetKind::kClasses;
  std::int64_t outputs = 0;               // classes, or real numbers that an example has as its target
  std::vector<std::int64_t> labels = {};  // count, in 0..outputs-1; or
  std::vector<float> values = {};         // count * outputs
  std::vector<std::string> classes = {};  // their names, where the data have some: outputs
};

}  // namespace samebits::training
