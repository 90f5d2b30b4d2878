#include "training/readers/csv.h"

#include <csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <set>
#include <string_view>

#include "io/error.h"
#include "training/readers/data_error.h"
#include "training/readers/packed_file.h"

namespace samebits::training {
namespace {

std::string quoted(const std::string& text) {
  return "\"" + io::shortened(text) + "\"";
}

/// The number that all of `text` is; NaN when it is none.
double number_in(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : std::nan("");
}

/// Feeds libcsv a line at a time, so that each row knows the line on which it begins.
class CsvParser {
 public:
  explicit CsvParser(CsvTable& table) : table_(table) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) throw std::bad_alloc();
  }
  ~CsvParser() { csv_free(&parser_); }
  CsvParser(const CsvParser&) = delete;
  CsvParser& operator=(const CsvParser&) = delete;

  void parse(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      parse_line(text.substr(0, end));
      text.remove_prefix(end);
    }
    if (csv_fini(&parser_, on_cell, on_row, this) != 0)
      fail_data(place(row_line_), "a quote at the end of the cell that begins with one",
                "the end of the file", "close the quote, or copy the file again");
    check_width();
  }

  /// Cells of each row, which were checked to be as many as the first row has.
  std::size_t width() const { return width_; }

 private:
  void parse_line(std::string_view line) {
    ++line_;
    if (!is_in_row_) row_line_ = line_;
    if (csv_parse(&parser_, line.data(), line.size(), on_cell, on_row, this) != line.size())
      fail_data(place(line_), "cells by RFC 4180", "a quote in the middle of one",
                "put the whole cell in quotes and double those inside");
    check_width();
    if (line.find_first_not_of("\r\n") != std::string_view::npos && !has_ended_row_) is_in_row_ = true;
    has_ended_row_ = false;
  }

  static void on_cell(void* text, std::size_t size, void* self) {
    auto& parser = *static_cast<CsvParser*>(self);
    parser.row_.emplace_back(text == nullptr ? "" : static_cast<const char*>(text), size);
  }
  static void on_row(int, void* self) { static_cast<CsvParser*>(self)->end_row(); }

  void end_row() {
    if (width_ == 0) width_ = row_.size();
    if (row_.size() != width_ && wrong_width_ == 0) wrong_width_ = row_.size();
    std::move(row_.begin(), row_.end(), std::back_inserter(table_.cells));
    table_.lines.push_back(row_line_);
    row_.clear();
    is_in_row_ = false;
    has_ended_row_ = true;
  }

  /// Not where the row ends: no exception may leave a callback of a C library.
  void check_width() const {
    if (wrong_width_ != 0)
      fail_data(place(row_line_), std::to_string(width_) + " cells, as the first row has",
                std::to_string(wrong_width_), "a cell that holds a comma stands in quotes");
  }

  std::string place(std::int64_t line) const { return table_.path.string() + ":" + std::to_string(line); }

  CsvTable& table_;
  csv_parser parser_{};
  std::vector<std::string> row_;
  std::size_t width_ = 0, wrong_width_ = 0;
  std::int64_t line_ = 0, row_line_ = 1;
  bool is_in_row_ = false, has_ended_row_ = false;
};

/// Takes the names out of the first row.
void take_header(CsvTable& table, std::size_t width) {
  const std::string where = table.path.string() + ":" + std::to_string(table.lines[0]);
  const auto end = table.cells.begin() + static_cast<std::ptrdiff_t>(width);
  table.columns.assign(table.cells.begin(), end);
  const bool has_number = std::any_of(table.columns.begin(), table.columns.end(),
                                      [](const std::string& name) { return !std::isnan(number_in(name)); });
  if (has_number) fail_data(where, "a header of names", "numbers", "write one, or set data.header to false");
  std::set<std::string> names;
  for (const std::string& name : table.columns)
    if (name.empty() || !names.insert(name).second)
      fail_data(where, "a header that names each column once",
                name.empty() ? "an empty name" : quoted(name) + " twice", "rename a column");
  table.cells.erase(table.cells.begin(), end);
  table.lines.erase(table.lines.begin());
}

}  // namespace

std::string CsvTable::place(std::int64_t row, std::size_t column) const {
  return path.string() + ":" + std::to_string(lines[static_cast<std::size_t>(row)]) + ": " + columns[column];
}

CsvTable read_csv(const std::filesystem::path& path, bool has_header) {
  const std::string text = read_packed(path, "a CSV file");
  CsvTable table{.path = path, .columns = {}, .cells = {}, .lines = {}};
  CsvParser parser(table);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  parser.parse(text.starts_with(kByteOrderMark) ? std::string_view(text).substr(kByteOrderMark.size())
                                                : text);
  const std::string wanted = has_header ? "a header and at least one row" : "at least one row";
  if (table.lines.empty()) fail_data(path.string(), wanted, "none", "is it the right file?");
  if (has_header) {
    take_header(table, parser.width());
  } else {
    for (std::size_t i = 1; i <= parser.width(); ++i) table.columns.push_back(std::to_string(i));
  }
  if (table.lines.empty()) fail_data(path.string(), wanted, "a header alone", "is it the right file?");
  return table;
}

double csv_number(const CsvTable& table, std::int64_t row, std::size_t column) {
  const std::string& text = table.cell(row, column);
  if (text.empty())
    fail_data(table.place(row, column), "a number", "an empty cell", "fill it in or remove the row");
  const double value = number_in(text);
  if (!std::isfinite(value))
    fail_data(table.place(row, column), "a finite number", quoted(text),
              "write numbers as 1.5 or 2e-3; columns of words can only be the target");
  return value;
}

}  // namespace samebits::training
