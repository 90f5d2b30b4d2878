#include "tests/benchmark/measure.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "training/run/run_directory.h"

namespace samebits::benchmark {

std::vector<double> interleaved_minimum(const std::vector<Variant>& variants, int rounds) {
  std::vector<double> least(variants.size(), std::numeric_limits<double>::infinity());
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t i = 0; i < variants.size(); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      variants[i].run();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (round >= 0) least[i] = std::min(least[i], seconds);
    }
  }
  return least;
}

std::string digits(double value) {
  const double size = std::abs(value);
  const int decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4;
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

Table::Table(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--json") {
    json_path_ = argv[2];
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: %s [--json FILE]\n", argv[0]);
    std::exit(2);
  }
  std::printf("%s\n%-34s%-38s%-18s%12s %-12s%8s  %s\n", training::machine_text().c_str(), "case", "variant",
              "metric", "value", "unit", "ratio", "of");
}

void Table::add(const Row& row) {
  std::printf("%-34s%-38s%-18s%12.4g %-12s%8.3f  %s", row.case_name.c_str(), row.variant.c_str(),
              row.metric.c_str(), row.value, row.unit.c_str(), row.ratio, row.reference.c_str());
  for (const Column& column : row.columns) {
    if (!column.text.empty()) std::printf("; %s %s", column.heading.c_str(), column.text.c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
  rows_.push_back(row);
}

Table::~Table() {
  if (json_path_.empty()) return;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Row& row : rows_) {
    rows.push_back({{"case", row.case_name},
                    {"variant", row.variant},
                    {"metric", row.metric},
                    {"value", row.value},
                    {"unit", row.unit},
                    {"reference", row.reference},
                    {"ratio", row.ratio},
                    {"machine", training::machine_text()}});
    for (const Column& column : row.columns) rows.back()["columns"][column.heading] = column.text;
  }
  io::write_file_atomically(json_path_, rows.dump(2) + "\n");
}

}  // namespace samebits::benchmark
