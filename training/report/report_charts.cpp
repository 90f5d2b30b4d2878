// SVG in units of about a pixel. Positions come from an Axis, ticks at 1, 2 or 5 times a power of ten.
#include "training/report/report_charts.h"

#include <algorithm>
#include <cmath>

#include "training/report/text.h"

namespace samebits::training {
namespace {

// The line chart in SVG units, which are pixels at full page width.
constexpr double kWidth = 540, kHeight = 270;
constexpr double kLeft = 54, kRight = 516, kTop = 40, kBottom = 226;
constexpr double kTextWidth = 6.2;  // of one character, at most
constexpr double kHistogramWidth = 256, kHistogramBaseline = 64, kHistogramHeight = 80;

/// Maps values to positions, and knows where its ticks are: multiples of `step`.
struct Axis {
  double low, high, step;
  double position_low, position_high;

  double at(double value) const {
    return position_low + (value - low) / (high - low) * (position_high - position_low);
  }
  /// Digits behind the point that tell ticks apart.
  int decimals() const { return std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))); }
  std::vector<double> ticks() const {
    std::vector<double> values;
    const double first = std::ceil(low / step - 1e-9);
    for (double i = first; i * step <= high + 1e-9 * step && values.size() < 50; ++i)
      values.push_back(i * step);
    return values;
  }
};

/// 1, 2 or 5 times a power of ten, the smallest that needs at most `intervals` steps for `range` > 0.
double round_step(double range, int intervals) {
  const double least = range / intervals;
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

/// From 0 to the last epoch, ticks at whole epochs where there are some.
Axis epoch_axis(const std::vector<double>& epochs) {
  double last = 0;
  for (const double epoch : epochs) last = std::max(last, epoch);
  if (!(last > 0)) last = 1;
  const double step = round_step(last, 8);
  return {0, last, last >= 1 ? std::max(1.0, step) : step, kLeft, kRight};
}

/// Round ends around every finite value. Without one: 0 to 1.
Axis value_axis(const std::vector<ChartSeries>& series) {
  double low = INFINITY, high = -INFINITY;
  for (const ChartSeries& one : series) {
    for (const double value : one.values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) low = 0, high = 1;
  const double least_range = std::max(1e-3, 1e-3 * std::fabs(high));
  if (high - low < least_range) {
    const double middle = low / 2 + high / 2;
    low = middle - least_range / 2, high = middle + least_range / 2;
  }
  const double step = round_step(high - low, 5);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step, kBottom, kTop};
}

std::string text_svg(double x, double y, const char* anchor, const std::string& text,
                     const char* css_class = "tick") {
  return formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, css_class) +
         html_escaped(text) + "</text>\n";
}

std::string phase_class(const std::string& phase) {
  for (const char* known : {"observing", "quantizing", "frozen"}) {
    if (phase == known) return phase;
  }
  return "fp32";
}

/// A band a phase.
std::string phase_bands_svg(const std::vector<PhaseMark>& phases, const Axis& x) {
  std::string svg;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const double begin = x.at(std::clamp(phases[i].epoch, x.low, x.high));
    const double end =
        i + 1 < phases.size() ? x.at(std::clamp(phases[i + 1].epoch, x.low, x.high)) : x.position_high;
    svg += formatted("<rect class=\"phase %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
                     phase_class(phases[i].phase).c_str(), begin, kTop, std::max(0.0, end - begin),
                     kBottom - kTop);
    svg += "<title>" + html_escaped(phases[i].phase) +
           formatted(" from epoch %g</title></rect>\n", phases[i].epoch);
  }
  return svg;
}

/// Where each phase begins, and its name in the first of two rows above the plot that has room: on the right
/// of its mark, or on the left at the chart's end. A name without room is left to the band's tool tip.
std::string phase_names_svg(const std::vector<PhaseMark>& phases, const Axis& x) {
  std::string lines, names;
  double row_end[] = {0, 0};
  for (const PhaseMark& mark : phases) {
    const double begin = x.at(std::clamp(mark.epoch, x.low, x.high));
    const double text_width = kTextWidth * static_cast<double>(mark.phase.size());
    const bool is_right = begin + 4 + text_width <= kWidth;
    const double text_begin = is_right ? begin + 4 : begin - 4 - text_width;
    for (int row = 0; row < 2; ++row) {
      if (text_begin < row_end[row]) continue;
      row_end[row] = std::max(begin, text_begin + text_width) + 8;
      const double text_y = row == 0 ? 30 : 14;
      lines += formatted("<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", begin,
                         begin, text_y - 9, kBottom);
      names += is_right ? text_svg(begin + 4, text_y, "start", mark.phase, "phase-name")
                        : text_svg(begin - 4, text_y, "end", mark.phase, "phase-name");
      break;
    }
  }
  return lines + names;  // names cover the lines of others
}

std::string axes_svg(const Axis& x, const Axis& y, const std::string& label, const std::string& unit) {
  std::string svg;
  for (const double value : y.ticks()) {
    svg += formatted("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", kLeft,
                     kRight, y.at(value), y.at(value));
    const std::string text =
        y.decimals() > 6 || y.high >= 1e6 ? significant_text(value, 3) : fixed_text(value, y.decimals());
    svg += text_svg(kLeft - 7, y.at(value) + 4, "end", text);
  }
  for (const double value : x.ticks()) {
    svg += formatted("<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", x.at(value),
                     x.at(value), kBottom, kBottom + 4);
    svg += text_svg(x.at(value), kBottom + 18, "middle", fixed_text(value, x.decimals()));
  }
  svg += formatted("<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", kLeft, kRight,
                   kBottom, kBottom);
  svg += text_svg((kLeft + kRight) / 2, kBottom + 38, "middle", "epoch", "axis-name");
  const double middle = (kTop + kBottom) / 2;
  svg += formatted(
      "<text class=\"axis-name\" transform=\"translate(11 %.1f) rotate(-90)\" text-anchor=\"middle\">",
      middle);
  return svg + html_escaped(unit.empty() ? label : label + ", " + unit) + "</text>\n";
}

std::string series_svg(const LineChart& chart, const ChartSeries& series, const Axis& x, const Axis& y) {
  const std::size_t n = std::min(chart.epochs.size(), series.values.size());
  const bool is_dense = n > 60;
  const double radius = is_dense ? 1 : 3;
  std::string path, points;
  bool is_joined = false;
  for (std::size_t i = 0; i < n; ++i) {
    const double value = series.values[i];
    const bool is_there = std::isfinite(value) && std::isfinite(chart.epochs[i]);
    if (is_there) {
      const double at_x = x.at(chart.epochs[i]), at_y = y.at(value);
      path += formatted("%c%.1f %.1f", is_joined ? 'L' : 'M', at_x, at_y);
      points += formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>", at_x, at_y, radius);
      points += html_escaped(series.name) + formatted(", epoch %g: ", chart.epochs[i]) +
                fixed_text(value, chart.decimals) + html_escaped(chart.unit) + "</title></circle>\n";
    }
    is_joined = is_there;
  }
  if (path.empty()) return "";
  return "<g class=\"series " + html_escaped(series.css_class) + (is_dense ? " dense" : "") +
         "\">\n<path d=\"" + path + "\"/>\n" + points + "</g>\n";
}

}  // namespace

std::string line_chart_svg(const LineChart& chart) {
  const Axis x = epoch_axis(chart.epochs), y = value_axis(chart.series);
  std::string svg =
      formatted("<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %g %g\" aria-label=\"", kWidth, kHeight);
  svg += html_escaped(chart.label) + " over epochs\">\n";
  svg += phase_bands_svg(chart.phases, x) + axes_svg(x, y, chart.label, chart.unit) +
         phase_names_svg(chart.phases, x);
  std::string curves;
  for (const ChartSeries& series : chart.series) curves += series_svg(chart, series, x, y);
  if (curves.empty())
    curves = text_svg((kLeft + kRight) / 2, (kTop + kBottom) / 2, "middle", "no values", "empty");
  return svg + curves + "</svg>\n";
}

std::string code_histogram_svg(const std::string& name, std::int64_t qmin,
                               const std::vector<std::int64_t>& counts) {
  const double width = kHistogramWidth / static_cast<double>(counts.size());
  const double gap = width > 4 ? 1 : 0;
  const auto most =
      static_cast<double>(std::max<std::int64_t>(1, *std::max_element(counts.begin(), counts.end())));
  std::string svg = formatted("<svg class=\"histogram\" role=\"img\" viewBox=\"0 0 %g %g\" aria-label=\"",
                              kHistogramWidth, kHistogramHeight);
  svg += "weight codes of " + html_escaped(name) + "\">\n";
  svg += formatted("<path class=\"bars\" d=\"M0 %g", kHistogramBaseline);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] <= 0) continue;
    const double begin = width * static_cast<double>(i);
    const double height = std::max(1.0, (kHistogramBaseline - 2) * static_cast<double>(counts[i]) / most);
    svg += formatted("H%.2fV%.2fH%.2fV%g", begin, kHistogramBaseline - height, begin + width - gap,
                     kHistogramBaseline);
  }
  svg += formatted("Z\"/>\n<line class=\"axis\" x1=\"0\" x2=\"%g\" y1=\"%g\" y2=\"%g\"/>\n", kHistogramWidth,
                   kHistogramBaseline, kHistogramBaseline);
  const auto qmax = qmin + static_cast<std::int64_t>(counts.size()) - 1;
  svg += text_svg(0, kHistogramHeight - 2, "start", std::to_string(qmin));
  svg += text_svg(kHistogramWidth, kHistogramHeight - 2, "end", std::to_string(qmax));
  const double zero = width * (0.5 - static_cast<double>(qmin));
  if (zero > 32 && zero < kHistogramWidth - 32) svg += text_svg(zero, kHistogramHeight - 2, "middle", "0");
  return svg + "</svg>\n";
}

}  // namespace samebits::training
