// A configuration's keys, each named once: a function `visit_x(visitor, part)` calls the visitor once a key,
// with the field, its range and its meaning. FieldReader fills the fields from YAML, FieldWriter prints them,
// FieldTable writes the tables of docs/reference/configuration.md: a key that is read is also written and
// documented. Torch-free.
//
//   template <class Visitor, class Part>  // Part is const but for FieldReader
//   void visit_schedule(Visitor& visitor, Part& schedule) {
//     visitor.choice("name", schedule.name, {"cosine", "constant"}, "the learning rate after the warm-up");
//     visitor.integer("warmup_steps", schedule.warmup_steps, at_least(0, kMaxSteps), "…");
//   }
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "torch_ext/config/yaml_reader.h"

namespace samebits {

/// The names of an enum's members, in the order in which messages list them.
template <class Enum>
using Names = std::vector<std::pair<Enum, std::string>>;

template <class Enum>
std::vector<std::string> texts_of(const Names<Enum>& names) {
  std::vector<std::string> texts;
  for (const auto& [member, text] : names) texts.push_back(text);
  return texts;
}

/// The name of `member`, which `names` has.
template <class Enum>
const std::string& name_of(const Names<Enum>& names, Enum member) {
  for (const auto& each : names)
    if (each.first == member) return each.second;
  return names.front().second;
}

/// Both ends included. An end that only the machine sets is not part of "expected an integer >= 1".
struct IntegerRange {
  std::int64_t low, high;
  bool is_open;  // high is a limit, not a part of the meaning
};
constexpr IntegerRange between(std::int64_t low, std::int64_t high) {
  return {low, high, false};
}
constexpr IntegerRange at_least(std::int64_t low, std::int64_t limit) {
  return {low, limit, true};
}

/// Both ends included; kAboveZero and kBelowOne leave theirs out.
struct NumberRange {
  double low, high = kAnyNumber;
};

/// Keys of which one stands for the others, and what each means.
using KeyMeanings = std::vector<std::pair<std::string, std::string>>;

/// What is said of a map besides its keys.
struct MapText {
  std::string title = {};  // of its section in the documentation; empty: its rows stand in its parent's
  bool is_flow = false;    // written in one line
  std::string inherits_from = {}, inherited = {};  // "train.optimizer", and the default that results
};

/// Whether a visitor fills fields.
template <class Visitor>
inline constexpr bool kReads = std::remove_reference_t<Visitor>::kIsReader;

}  // namespace samebits
