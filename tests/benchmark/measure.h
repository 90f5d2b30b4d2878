// What the benchmark programs share: interleaved timing in one process, a table on stdout, rows as JSON.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace samebits::benchmark {

/// One thing to time.
struct Variant {
  std::string name;
  std::function<void()> run;
};

/// Seconds of each variant: the minimum over `rounds`, in each of which every variant runs once, in turn,
/// after one untimed round. A noisy neighbour hits all alike, and the minimum forgets it.
std::vector<double> interleaved_minimum(const std::vector<Variant>& variants, int rounds);

/// A further column of a table: its heading and the cell.
struct Column {
  std::string heading, text;
};

/// One row of build/tables/NAME.json. `ratio` is value / value of the reference.
struct Row {
  std::string case_name, variant, metric;
  double value = 0;
  std::string unit, reference;
  double ratio = 0;
  std::vector<Column> columns = {};  // when given, the table shows them instead of reference and ratio
};

/// `value` with three digits that mean something, as a cell: "0.0815", "11.2", "335".
std::string digits(double value);

/// Prints the rows as they come and writes them all to the file after --json, if any.
class Table {
 public:
  /// Reads `--json FILE`; exits with code 2 on anything else.
  Table(int argc, char** argv);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void add(const Row& row);

 private:
  std::string json_path_;
  std::vector<Row> rows_;
};

}  // namespace samebits::benchmark
