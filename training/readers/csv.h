// Tables of comma-separated values as RFC 4180 has them, by libcsv in its strict mode: quoted cells, "" in
// them, line ends of either kind. Blanks around a bare cell are no part of it, empty lines no rows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace samebits::training {

struct CsvTable {
  std::filesystem::path path;
  std::vector<std::string> columns;  // names, each another; "1", "2", … without a header
  std::vector<std::string> cells;    // row after row, as many each as columns
  std::vector<std::int64_t> lines;   // on which each row begins; 1 is the file's first

  std::int64_t rows() const { return static_cast<std::int64_t>(lines.size()); }
  const std::string& cell(std::int64_t row, std::size_t column) const {
    return cells[static_cast<std::size_t>(row) * columns.size() + column];
  }
  /// "wine.csv:17: alcohol", for messages.
  std::string place(std::int64_t row, std::size_t column) const;
};

/// Reads a file, gzipped or plain, of at least one row. Throws UsageError "[data] PATH:LINE: expected …" on
/// quotes that do not match, rows of different lengths, a header whose names repeat or are numbers.
CsvTable read_csv(const std::filesystem::path& path, bool has_header);

/// The number in a cell. Throws on an empty cell and on what is no finite number.
double csv_number(const CsvTable& table, std::int64_t row, std::size_t column);

}  // namespace samebits::training
