#include "training/readers/csv_arrays.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "io/error.h"
#include "torch_ext/config/yaml_reader.h"
#include "training/readers/data_error.h"

namespace samebits::training {
namespace {

bool is_whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// A word or a whole number: what a class may be called, and a measurement is not.
bool is_class_name(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return !is_number || is_whole_number(text);
}

std::vector<std::size_t> target_columns(const CsvTable& table, const std::vector<std::string>& names) {
  if (names.empty()) return {table.columns.size() - 1};
  std::vector<std::size_t> columns;
  for (const std::string& name : names) {
    const auto found = std::find(table.columns.begin(), table.columns.end(), name);
    if (found == table.columns.end())
      fail_data(table.path.string(), "the target column \"" + name + "\"", "none of that name",
                "did you mean \"" + nearest_name_of_any(name, table.columns) + "\"?");
    columns.push_back(static_cast<std::size_t>(found - table.columns.begin()));
  }
  return columns;
}

const std::string& class_cell(const CsvTable& table, std::int64_t row, std::size_t column) {
  const std::string& text = table.cell(row, column);
  if (text.empty())
    fail_data(table.place(row, column), "a class", "an empty cell", "fill it in or remove the row");
  return text;
}

std::vector<std::string> class_names(const CsvTable& table, std::size_t column) {
  std::set<std::string> distinct;
  for (std::int64_t row = 0; row < table.rows(); ++row) distinct.insert(class_cell(table, row, column));
  std::vector<std::string> names(distinct.begin(), distinct.end());
  if (std::all_of(names.begin(), names.end(), is_whole_number))
    std::sort(names.begin(), names.end(),
              [](const std::string& a, const std::string& b) { return std::stoll(a) < std::stoll(b); });
  if (names.size() < 2)
    fail_data(table.path.string() + ": " + table.columns[column], "at least 2 classes",
              "\"" + names[0] + "\" alone", "is it the right column?");
  return names;
}

void add_labels(Arrays& arrays, const CsvTable& table, std::size_t column) {
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::string& name = class_cell(table, row, column);
    const auto found = std::find(arrays.classes.begin(), arrays.classes.end(), name);
    if (found == arrays.classes.end())
      fail_data(table.place(row, column), "a class that the training rows have",
                "\"" + io::shortened(name) + "\"", "correct or remove the row");
    arrays.labels.push_back(found - arrays.classes.begin());
  }
  arrays.outputs = static_cast<std::int64_t>(arrays.classes.size());
}

TargetKind kind_of(const CsvTable& table, const std::vector<std::size_t>& targets,
                   const CsvOptions& options) {
  if (options.training != nullptr) return options.training->target;
  if (options.kind != TargetKind::kAny) return options.kind;
  if (targets.size() != 1) return TargetKind::kReals;
  for (std::int64_t row = 0; row < table.rows(); ++row)
    if (!is_class_name(table.cell(row, targets[0]))) return TargetKind::kReals;
  return TargetKind::kClasses;
}

}  // namespace

Arrays csv_arrays(const CsvTable& table, const CsvOptions& options) {
  const std::vector<std::size_t> targets = target_columns(table, options.target);
  std::vector<std::size_t> features;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (std::count(targets.begin(), targets.end(), i) == 0) features.push_back(i);
  if (features.empty())
    fail_data(table.path.string(), "columns besides the target", "none", "is data.target right?");
  Arrays arrays{.count = table.rows(), .shape = {static_cast<std::int64_t>(features.size())}};
  for (std::int64_t row = 0; row < table.rows(); ++row)
    for (const std::size_t column : features)
      arrays.reals.push_back(static_cast<float>(csv_number(table, row, column)));
  arrays.target = kind_of(table, targets, options);
  if (arrays.target == TargetKind::kReals) {
    arrays.outputs = static_cast<std::int64_t>(targets.size());
    for (std::int64_t row = 0; row < table.rows(); ++row)
      for (const std::size_t column : targets)
        arrays.values.push_back(static_cast<float>(csv_number(table, row, column)));
    return arrays;
  }
  if (targets.size() != 1)
    fail_data(table.path.string(), "one target column of classes", std::to_string(targets.size()),
              "name one in data.target, or set task.loss to mse or bce");
  arrays.classes = options.training != nullptr ? options.training->classes : class_names(table, targets[0]);
  add_labels(arrays, table, targets[0]);
  return arrays;
}

}  // namespace samebits::training
