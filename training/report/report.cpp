// The page: sections in reading order, each a function that returns nothing when it has nothing to show. Text
// is escaped where a cell, a term or an attribute is written, nowhere else.
#include "training/report/report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "training/report/report_charts.h"
#include "training/report/report_style.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

const std::string kDash = "–";

struct Column {
  std::string name;
  bool is_number;
};
using Cells = std::vector<std::string>;  // plain text, a row's or a column's

std::string fixed_or_dash(const std::optional<double>& value, int decimals, const std::string& unit = "") {
  return value && std::isfinite(*value) ? fixed_text(*value, decimals) + unit : kDash;
}

std::string significant_or_dash(const std::optional<double>& value) {
  return value ? significant_text(*value, 4) : kDash;
}

/// <td class="number">text</td>; a dash for a number is shown faintly.
std::string cell_html(const std::string& tag, const char* attributes, bool is_number,
                      const std::string& text) {
  const char* css_class = !is_number ? "" : text == kDash ? " class=\"number none\"" : " class=\"number\"";
  return "<" + tag + attributes + css_class + ">" + html_escaped(text) + "</" + tag + ">";
}

/// A table whose first column names its rows. A column of numbers that nobody has is left out.
std::string table_html(const std::vector<Column>& columns, const std::vector<Cells>& rows) {
  std::vector<bool> is_shown;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    is_shown.push_back(!columns[i].is_number || std::any_of(rows.begin(), rows.end(), [&](const Cells& row) {
      return row[i] != kDash;
    }));
  }
  std::string html = "<div class=\"card scroll\"><table>\n<thead><tr>";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (is_shown[i]) html += cell_html("th", " scope=\"col\"", columns[i].is_number, columns[i].name);
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const Cells& row : rows) {
    html += "<tr>" + cell_html("th", " scope=\"row\"", false, row[0]);
    for (std::size_t i = 1; i < columns.size(); ++i) {
      if (is_shown[i]) html += cell_html("td", "", columns[i].is_number, row[i]);
    }
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

std::string verdict_html(const char* css_class, const std::string& count, const std::string& what) {
  return std::string("<div class=\"card verdict ") + css_class + "\"><p class=\"count\">" +
         html_escaped(count) + "</p><p class=\"what\">" + html_escaped(what) + "</p></div>\n";
}

/// What an engine may do otherwise.
std::string float_text(std::int64_t differing) {
  return differing == 0 ? "" : ", " + thousands_text(differing) + " more by how the engine sums float layers";
}

std::string verification_html(const std::optional<Verification>& verification) {
  std::string html = "<div class=\"verdicts\">\n";
  if (!verification || verification->targets.empty()) {
    html += verdict_html(
        "unknown", "not verified",
        "run samebits verify to compare the exported files with the training forward, bit for bit");
    return html + "</div>\n";
  }
  for (const Verification::Target& target : verification->targets) {
    html += verdict_html(
        target.differing == 0 ? "same" : "differs",
        thousands_text(target.differing) + " of " + thousands_text(verification->logits) + " logits differ",
        target.name + " against the training forward, bit for bit, on " +
            thousands_text(verification->images) + " images" + float_text(target.differing_float));
  }
  return html + "</div>\n";
}

std::string results_html(const Report& report) {
  const std::vector<ResultRow>& results = report.results;
  const Metric& metric = report.metric;
  if (results.empty()) return "";
  const ResultRow& first = results.front();
  const std::string versus = "vs " + first.name;
  std::vector<Cells> rows;
  for (const ResultRow& row : results) {
    const double gain = row.score - first.score;
    const bool has_ratio = row.size_bytes && first.size_bytes && *first.size_bytes > 0;
    const double size_ratio =
        has_ratio ? static_cast<double>(*row.size_bytes) / static_cast<double>(*first.size_bytes) : kMissing;
    const bool is_first = &row == &first;
    rows.push_back({row.name, metric.text(row.score),
                    is_first || !std::isfinite(gain) ? kDash : formatted("%+.*f", metric.decimals, gain),
                    row.size_bytes ? bytes_text(*row.size_bytes) : kDash,
                    fixed_or_dash(is_first ? kMissing : size_ratio, 2, "x"),
                    fixed_or_dash(row.step_ms, 1, " ms"),
                    is_first ? kDash : fixed_or_dash(row.step_ratio, 2, "x")});
  }
  return "<h2>Results</h2>\n" + table_html({{"model", false},
                                            {metric.name, true},
                                            {versus, true},
                                            {"size", true},
                                            {versus, true},
                                            {"training step", true},
                                            {versus, true}},
                                           rows);
}

std::string chart_figure(const std::string& title, const LineChart& chart) {
  std::string html = "<figure class=\"card\"><figcaption><strong>" + html_escaped(title) + "</strong>";
  for (const ChartSeries& series : chart.series) {
    if (chart.series.size() < 2) break;  // the title says it
    html += " <span class=\"key " + html_escaped(series.css_class) + "\">" + html_escaped(series.name) +
            "</span>";
  }
  return html + "</figcaption>\n" + line_chart_svg(chart) + "</figure>\n";
}

std::string epochs_html(const Report& report) {
  if (report.epochs.empty()) return "";
  LineChart loss{
      .label = "loss", .unit = "", .decimals = 4, .epochs = {}, .series = {}, .phases = report.phases};
  const Metric& metric = report.metric;
  LineChart score{.label = metric.name,
                  .unit = metric.unit,
                  .decimals = metric.decimals,
                  .epochs = {},
                  .series = {},
                  .phases = report.phases};
  ChartSeries train{"train", "train", {}}, test{"test", "test", {}}, scores{metric.name, "accuracy", {}};
  std::vector<Cells> rows;
  for (const EpochPoint& point : report.epochs) {
    loss.epochs.push_back(point.epoch);
    train.values.push_back(point.train_loss);
    test.values.push_back(point.test_loss);
    scores.values.push_back(point.score);
    rows.push_back({significant_text(point.epoch, 6), point.phase, fixed_text(point.train_loss, 4),
                    fixed_text(point.test_loss, 4), metric.text(point.score),
                    fixed_or_dash(point.seconds, 1, " s")});
  }
  score.epochs = loss.epochs;
  loss.series = {train, test};
  score.series = {scores};
  return "<h2>Training</h2>\n<div class=\"charts\">\n" + chart_figure("Loss", loss) +
         chart_figure(std::string("Test ") + metric.name, score) +
         "</div>\n<details><summary>Every epoch in numbers</summary>\n" +
         table_html({{"epoch", false},
                     {"phase", false},
                     {"train loss", true},
                     {"test loss", true},
                     {metric.name, true},
                     {"time", true}},
                    rows) +
         "</details>\n";
}

/// Part of the row as a background: what is on the diagonal, or beside it.
std::string share_style(double share, bool is_right) {
  if (share <= 0) return "";
  const int percent = std::max(4, static_cast<int>(std::lround(70 * std::sqrt(share))));
  return formatted(" style=\"background: color-mix(in srgb, var(--%s) %d%%, transparent)\"",
                   is_right ? "green" : "red", percent);
}

std::string classes_html(const ConfusionMatrix& confusion) {
  if (confusion.empty()) return "";
  std::string html =
      "<h2>Classes</h2>\n<div class=\"card scroll\"><table class=\"classes\">\n<thead><tr><th "
      "scope=\"col\">class</th><th scope=\"col\" class=\"number\">examples</th><th "
      "scope=\"col\" class=\"number\">right</th>";
  for (std::size_t i = 0; i < confusion.size(); ++i)
    html += "<th scope=\"col\" class=\"number\">as " + std::to_string(i) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    const std::int64_t total = std::accumulate(confusion[i].begin(), confusion[i].end(), std::int64_t{0});
    const auto share = [&](std::int64_t count) {
      return total == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(total);
    };
    html += "<tr><th scope=\"row\">" + std::to_string(i) + "</th><td class=\"number\">" +
            thousands_text(total) + "</td><td class=\"number\">" +
            (total == 0 ? kDash : fixed_text(100 * share(confusion[i][i]), 1) + "%") + "</td>";
    for (std::size_t j = 0; j < confusion.size(); ++j)
      html += "<td class=\"number\"" + share_style(share(confusion[i][j]), i == j) + ">" +
              (confusion[i][j] == 0 ? "" : thousands_text(confusion[i][j])) + "</td>";
    html += "</tr>\n";
  }
  return html +
         "</tbody>\n</table></div>\n<p class=\"note\">Test examples of each class, and the class that the "
         "trained "
         "model gives them.</p>\n";
}

std::string layers_html(const std::vector<LayerRow>& layers) {
  if (layers.empty()) return "";
  std::vector<Cells> rows;
  rows.reserve(layers.size());
  for (const LayerRow& layer : layers) {
    rows.push_back({layer.name, layer.kind, layer.weight,
                    layer.size_bytes ? bytes_text(*layer.size_bytes) : kDash, layer.activation,
                    significant_or_dash(layer.input_scale),
                    layer.zero_point ? std::to_string(*layer.zero_point) : kDash,
                    significant_or_dash(layer.weight_scale_min), significant_or_dash(layer.weight_scale_max),
                    fixed_or_dash(layer.clip_percent, 2, "%"), fixed_or_dash(layer.sqnr_db, 1, " dB")});
  }
  return "<h2>Layers</h2>\n" +
         table_html({{"layer", false},
                     {"kind", false},
                     {"weight", false},
                     {"size", true},
                     {"input", false},
                     {"input scale", true},
                     {"zero point", true},
                     {"weight scale from", true},
                     {"to", true},
                     {"input clipped", true},
                     {"output SQNR", true}},
                    rows) +
         "<p class=\"note\">Scales are real units per code. SQNR is the power of the layer's output in float "
         "over that of what its codes add, on the same input.</p>\n";
}

std::string histogram_figure(const LayerRow& layer) {
  const std::vector<std::int64_t>& counts = layer.code_counts;
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  const auto unused = std::count(counts.begin(), counts.end(), 0);
  const auto used = static_cast<std::int64_t>(counts.size()) - unused;
  const std::int64_t edges = counts.size() < 2 ? total : counts.front() + counts.back();
  const double edge_percent =
      total > 0 ? 100 * static_cast<double>(edges) / static_cast<double>(total) : kMissing;
  return "<figure class=\"card\"><figcaption><strong>" + html_escaped(layer.name) + "</strong> <span>" +
         html_escaped(layer.weight) + "</span></figcaption>\n" +
         code_histogram_svg(layer.name, layer.qmin, counts) + "<p class=\"note\">" + thousands_text(total) +
         " weights · " + thousands_text(used) + " of " +
         thousands_text(static_cast<std::int64_t>(counts.size())) + " codes used · " +
         fixed_or_dash(edge_percent, 2, "%") + " at the edges</p></figure>\n";
}

std::string histograms_html(const std::vector<LayerRow>& layers) {
  std::string figures;
  for (const LayerRow& layer : layers) {
    if (!layer.code_counts.empty()) figures += histogram_figure(layer);
  }
  if (figures.empty()) return "";
  return "<h2>Weight codes</h2>\n<div class=\"histograms\">\n" + figures +
         "</div>\n<p class=\"note\">How many weights have each code. The edges are the smallest and the "
         "largest code, "
         "where clipped weights end.</p>\n";
}

std::string config_html(const std::string& config) {
  if (config.empty()) return "";
  return "<details><summary>The whole configuration</summary>\n<pre class=\"card\">" + html_escaped(config) +
         "</pre></details>\n";
}

std::string summary_html(const std::vector<SummaryRow>& summary) {
  if (summary.empty()) return "";
  std::string html = "<h2>Configuration</h2>\n<dl class=\"card\">\n";
  for (const SummaryRow& row : summary) {
    html += "<dt>" + html_escaped(row.name) + "</dt><dd>" + html_escaped(row.value) + "</dd>\n";
  }
  return html + "</dl>\n";
}

}  // namespace

std::string report_html(const Report& report) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n";
  html +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\"/>\n";
  html += "<title>" + html_escaped(report.title) + " · samebits</title>\n<style>" + std::string(kReportStyle);
  html += "</style>\n</head>\n<body>\n<main>\n<h1>" + html_escaped(report.title) + "</h1>\n";
  if (!report.machine.empty()) html += "<p class=\"machine\">" + html_escaped(report.machine) + "</p>\n";
  html += verification_html(report.verification) + results_html(report) + epochs_html(report);
  html += classes_html(report.confusion) + layers_html(report.layers) + histograms_html(report.layers);
  html += summary_html(report.summary) + config_html(report.config);
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace samebits::training
