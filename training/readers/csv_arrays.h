// A table as examples: one a row, the target among its columns.
#pragma once

#include "training/readers/arrays.h"
#include "training/readers/csv.h"

namespace samebits::training {

struct CsvOptions {
  std::vector<std::string> target;     // columns; empty: the last one
  TargetKind kind = TargetKind::kAny;  // kAny: words or whole numbers in one column are classes
  const Arrays* training = nullptr;    // the part whose kind of target and classes this one must have
};

/// Every column that is no target is a feature. Classes are numbered in the order of their names, of numbers
/// in that of their size. Throws UsageError "[data] PATH:LINE: COLUMN: expected …" on a feature or a real
/// target that is no finite number, an empty cell, a target that is no column, a class that training does not
/// have.
Arrays csv_arrays(const CsvTable& table, const CsvOptions& options);

}  // namespace samebits::training
