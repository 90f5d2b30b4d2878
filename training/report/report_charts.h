// The report's charts as inline SVG. Colours come from the classes that report_style.h defines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "training/report/report.h"

namespace samebits::training {

/// Values over the chart's x, as many; NaN and infinities are gaps. `css_class` gives the colour.
struct ChartSeries {
  std::string name, css_class;
  std::vector<double> values;
};

/// Curves over epochs with the phases shaded behind them.
struct LineChart {
  std::string label;           // of the y axis, and for screen readers
  std::string unit;            // behind each value: "%" or ""
  int decimals = 4;            // of the values in tool tips
  std::vector<double> epochs;  // ascending
  std::vector<ChartSeries> series;
  std::vector<PhaseMark> phases;
};

/// Each finite value is one <circle> with its numbers as a tool tip. Without any, the chart says so.
std::string line_chart_svg(const LineChart& chart);

/// One bar a code, counts[0] for `qmin`, each at its place on the integer grid; a code that occurs is never
/// invisible, however rare. `counts` is not empty.
std::string code_histogram_svg(const std::string& name, std::int64_t qmin,
                               const std::vector<std::int64_t>& counts);

}  // namespace samebits::training
