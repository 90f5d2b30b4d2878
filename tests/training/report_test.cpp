// What the report's page must hold, for a whole run and for runs of which little is known. Well-formedness is
// checked by tests/python/test_report.py on the pages that this test writes.
#include "training/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>

#include "tests/training/output_folder.h"
#include "training/report/report_charts.h"

namespace samebits::training {
namespace {

using testing::HasSubstr;
using testing::Not;

/// For pages: a failure shows the text that is missing, not the page.
testing::AssertionResult has(const std::string& page, const std::string& text) {
  if (page.find(text) != std::string::npos) return testing::AssertionSuccess() << "has " << text;
  return testing::AssertionFailure() << "does not have " << text;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

/// Counts of a bell around 0, as a trained weight has.
std::vector<std::int64_t> bell(std::int64_t qmin, std::int64_t qmax, double width) {
  std::vector<std::int64_t> counts;
  for (std::int64_t code = qmin; code <= qmax; ++code) {
    const double z = static_cast<double>(code) / width;
    counts.push_back(static_cast<std::int64_t>(9000 * std::exp(-z * z / 2)));
  }
  return counts;
}

Report sample_report() {
  Report report;
  report.title = "fashion_mnist_cnn_int8";
  report.machine = "Intel Xeon, avx512_vnni, 2 threads";
  report.summary = {{"data", "fashion_mnist, batch size 256"},
                    {"model", "cnn, channels 32 64, hidden 256"},
                    {"optimizer", "adamw, lr 0.001, weight decay 0.01; cosine, 100 warm-up steps"},
                    {"weights", "8 bits per channel; fc.*: 4 bits, groups of 32"}};
  for (int epoch = 1; epoch <= 8; ++epoch) {
    report.epochs.push_back({.epoch = 1.0 * epoch,
                             .phase = epoch <= 6   ? "fp32"
                                      : epoch == 7 ? "quantizing"
                                                   : "frozen",
                             .train_loss = 0.62 / std::sqrt(epoch) - 0.02 * epoch,
                             .test_loss = 0.5 / std::sqrt(epoch) + 0.035,
                             .score = 92 - 8.0 / epoch,
                             .seconds = epoch <= 6 ? 15.3 : 11.2});
  }
  report.phases = {{0, "fp32"}, {6, "observing"}, {6.4, "quantizing"}, {7.5, "frozen"}};
  report.results = {{.name = "FP32", .score = 91.62, .size_bytes = 3312680, .step_ms = 66.1, .step_ratio = 1},
                    {.name = "PTQ", .score = 91.47},
                    {.name = "QAT", .score = 91.83, .step_ms = 46.2, .step_ratio = 0.699},
                    {.name = "exported package", .score = 91.83, .size_bytes = 531204},
                    {.name = "ONNX", .score = 91.83, .size_bytes = 848112}};
  const auto layer = [](const char* name, const char* kind, const char* weight, std::int64_t qmin,
                        std::int64_t qmax) {
    return LayerRow{.name = name,
                    .kind = kind,
                    .weight = weight,
                    .activation = "int8 affine",
                    .input_scale = 0.0078431,
                    .zero_point = -128,
                    .weight_scale_min = 0.00043,
                    .weight_scale_max = 0.0041,
                    .size_bytes = 20480,
                    .clip_percent = 0.8,
                    .sqnr_db = 41.3,
                    .qmin = qmin,
                    .code_counts = bell(qmin, qmax, static_cast<double>(qmax) / 3)};
  };
  report.layers = {layer("conv1", "Conv2d", "int8 per channel", -127, 127),
                   layer("conv2", "Conv2d", "int8 per channel", -127, 127),
                   layer("fc1", "Linear", "int4 groups of 32", -8, 7),
                   layer("fc2", "Linear", "int4 groups of 32", -8, 7)};
  report.verification =
      Verification{.images = 10000, .logits = 100000, .targets = {{"package", 0}, {"onnx", 12, 3456}}};
  report.confusion = {{950, 40, 10}, {0, 1000, 0}, {0, 0, 0}};
  report.config = "name: a <b>\nseed: 1\n";
  return report;
}

/// Everything that a run may lack, lacking.
Report sparse_report() {
  Report report;
  report.title = "one <epoch> & \"nothing\" else";
  report.epochs = {{.epoch = 1, .phase = "", .train_loss = NAN, .test_loss = INFINITY, .score = NAN}};
  report.results = {{.name = "FP32"}, {.name = "PTQ", .score = NAN, .step_ms = NAN, .step_ratio = INFINITY}};
  report.layers = {{.name = "fc",
                    .kind = "Linear",
                    .weight = "int8",
                    .activation = "int8",
                    .input_scale = NAN,
                    .clip_percent = NAN,
                    .sqnr_db = INFINITY},
                   {.name = "zero",
                    .kind = "Linear",
                    .weight = "int8",
                    .activation = "int8",
                    .qmin = -1,
                    .code_counts = {0, 0, 0}}};
  return report;
}

Report large_report() {
  Report report = sample_report();
  report.verification->targets[1].differing = 0;
  while (report.layers.size() < 120) report.layers.push_back(report.layers[report.layers.size() % 4]);
  for (int epoch = 9; epoch <= 300; ++epoch) {
    report.epochs.push_back(report.epochs.back());
    report.epochs.back().epoch = epoch;
  }
  return report;
}

void write_page(const std::filesystem::path& path, const Report& report) {
  std::ofstream(path) << report_html(report);
}

TEST(Report, ShowsClassesByWhatTheModelGivesThem) {
  const std::string html = report_html(sample_report());
  EXPECT_TRUE(has(html, "<h2>Classes</h2>"));
  EXPECT_TRUE(
      has(html,
          "<tr><th scope=\"row\">0</th><td class=\"number\">1,000</td><td class=\"number\">95.0%</td>"
          "<td class=\"number\" style=\"background: color-mix(in srgb, var(--green) 68%, transparent)\">"
          "950</td><td class=\"number\" style=\"background: color-mix(in srgb, var(--red) 14%, "
          "transparent)\">40</td>"));
  EXPECT_TRUE(
      has(html, "<tr><th scope=\"row\">2</th><td class=\"number\">0</td><td class=\"number\">–</td>"));
  EXPECT_FALSE(has(report_html(sparse_report()), "Classes"));
}

TEST(Report, HasTheWholeConfigurationEscaped) {
  EXPECT_TRUE(has(report_html(sample_report()), "<pre class=\"card\">name: a &lt;b&gt;\nseed: 1\n</pre>"));
  EXPECT_FALSE(has(report_html(sparse_report()), "<pre"));
}

TEST(Report, HoldsEveryRowOfEveryTable) {
  const std::string html = report_html(sample_report());
  for (const char* text :
       {"<h1>fashion_mnist_cnn_int8</h1>", "Intel Xeon, avx512_vnni, 2 threads",
        "<dt>optimizer</dt><dd>adamw, lr 0.001",
        // results: accuracy, difference to FP32, size, its ratio, step, its ratio
        "<tr><th scope=\"row\">FP32</th><td class=\"number\">91.62%</td><td class=\"number none\">–</td>"
        "<td class=\"number\">3.31 MB</td><td class=\"number none\">–</td><td class=\"number\">66.1 ms</td>"
        "<td class=\"number none\">–</td></tr>",
        "<tr><th scope=\"row\">PTQ</th><td class=\"number\">91.47%</td><td class=\"number\">-0.15</td>"
        "<td class=\"number none\">–</td><td class=\"number none\">–</td><td class=\"number none\">–</td><td "
        "class=\"number none\">–</td>",
        "<tr><th scope=\"row\">QAT</th><td class=\"number\">91.83%</td><td class=\"number\">+0.21</td>"
        "<td class=\"number none\">–</td><td class=\"number none\">–</td><td class=\"number\">46.2 ms</td>"
        "<td class=\"number\">0.70x</td>",
        "<tr><th scope=\"row\">exported package</th><td class=\"number\">91.83%</td><td "
        "class=\"number\">+0.21</td>"
        "<td class=\"number\">531.2 kB</td><td class=\"number\">0.16x</td>",
        "<tr><th scope=\"row\">ONNX</th>",
        // epochs
        "<tr><th scope=\"row\">7</th><td>quantizing</td><td class=\"number\">0.0943</td><td "
        "class=\"number\">0.2240</td>"
        "<td class=\"number\">90.86%</td><td class=\"number\">11.2 s</td></tr>",
        // layers
        "<tr><th scope=\"row\">fc1</th><td>Linear</td><td>int4 groups of 32</td><td class=\"number\">20.5 "
        "kB</td>"
        "<td>int8 affine</td><td class=\"number\">0.007843</td><td class=\"number\">-128</td><td "
        "class=\"number\">0.00043</td>"
        "<td class=\"number\">0.0041</td><td class=\"number\">0.80%</td><td class=\"number\">41.3 "
        "dB</td></tr>",
        "<tr><th scope=\"row\">conv1</th>", "<tr><th scope=\"row\">conv2</th>",
        "<tr><th scope=\"row\">fc2</th>", "weights · 16 of 16 codes used · 0.24% at the edges"}) {
    EXPECT_TRUE(has(html, text));
  }
  EXPECT_EQ(count(html, "<svg class=\"histogram\""), 4u);
}

TEST(Report, SaysForEachExportWhetherItsLogitsAreTheSame) {
  const std::string html = report_html(sample_report());
  EXPECT_THAT(
      html,
      HasSubstr("verdict same\"><p class=\"count\">0 of 100,000 logits differ</p><p class=\"what\">package "
                "against the training forward, bit for bit, on 10,000 images</p>"));
  EXPECT_TRUE(has(
      html,
      "verdict differs\"><p class=\"count\">12 of 100,000 logits differ</p><p "
      "class=\"what\">onnx against the training forward, bit for bit, on 10,000 images, 3,456 more by how "
      "the engine sums float layers</p>"));
  EXPECT_TRUE(has(report_html(sparse_report()), "verdict unknown\"><p class=\"count\">not verified</p>"));
}

TEST(Report, DrawsOnePointForEachEpochAndCurve) {
  EXPECT_EQ(count(report_html(sample_report()), "<circle "), 3u * 8);
  EXPECT_EQ(count(report_html(large_report()), "<circle "), 3u * 300);
  EXPECT_EQ(count(report_html(sparse_report()), "<circle "), 0u);
  EXPECT_EQ(count(report_html(sparse_report()), ">no values</text>"), 2u);
}

TEST(Report, WritesADashForWhatIsMissingAndLeavesEmptyColumnsAndSectionsOut) {
  const std::string html = report_html(sparse_report());
  std::string lower = html.substr(html.find("<body>"));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* text : {"nan", "inf", "training step", "vs fp32", "sqnr</th>", "configuration"}) {
    EXPECT_FALSE(has(lower, text));
  }
  EXPECT_EQ(count(report_html({.title = "empty"}), "<h2>"), 0u);
  EXPECT_TRUE(has(html, "0 weights · 0 of 3 codes used · – at the edges"));
}

TEST(Report, EscapesEveryTextThatARunBringsAlong) {
  const std::string evil = "<script>alert(\"&'\")</script>";
  Report report = sample_report();
  report.title = report.machine = evil;
  report.summary = {{evil, evil}};
  report.epochs[0].phase = report.phases[0].phase = report.results[0].name = evil;
  LayerRow& layer = report.layers[0];
  layer.name = layer.kind = layer.weight = layer.activation = evil;
  report.verification->targets[0].name = evil;
  const std::string html = report_html(report);
  EXPECT_FALSE(has(html, "<script"));
  EXPECT_FALSE(has(html, "\"&'\""));
  // title twice, machine, summary twice, epoch's phase, two charts with a tool tip and a name each, the
  // result and three columns against it, the layer's four texts, its histogram's three, the target
  EXPECT_EQ(count(html, "&lt;script&gt;alert(&quot;&amp;&#39;&quot;)&lt;/script&gt;"),
            2u + 1 + 2 + 1 + 2 * 2 + 4 + 4 + 3 + 1);
}

TEST(Report, LoadsNothingFromElsewhere) {
  const std::string html = report_html(large_report());
  for (const char* text : {"http://", "https://", "src=", "@import", "url(", "<link", "<script"}) {
    EXPECT_FALSE(has(html, text));
  }
}

TEST(Report, WritesThePagesThatThePythonTestReads) {
  const std::filesystem::path folder = output_folder("reports");
  write_page(folder / "sample.html", sample_report());
  write_page(folder / "sparse.html", sparse_report());
  write_page(folder / "large.html", large_report());
  write_page(folder / "empty.html", {});
  EXPECT_GT(std::filesystem::file_size(folder / "sample.html"), 10000u);
  EXPECT_LT(std::filesystem::file_size(folder / "large.html"), 2000000u);
  if (std::getenv("SAMEBITS_TEST_FOLDER") == nullptr) std::filesystem::remove_all(folder);
}

LineChart chart_of(std::vector<double> epochs, std::vector<double> values) {
  return {.label = "loss",
          .unit = "",
          .decimals = 2,
          .epochs = std::move(epochs),
          .series = {{"train", "train", std::move(values)}},
          .phases = {}};
}

TEST(LineChart, PlacesPointsOnTheAxesAndBreaksTheCurveAtAGap) {
  // The plot spans x 54..516 and y 226 (0) .. 40 (4).
  const std::string svg = line_chart_svg(chart_of({1, 2, 3, 4}, {0, 4, NAN, 1}));
  EXPECT_THAT(svg, HasSubstr("d=\"M169.5 226.0L285.0 40.0M516.0 179.5\""));
  EXPECT_THAT(
      svg,
      HasSubstr("<circle cx=\"285.0\" cy=\"40.0\" r=\"3.0\"><title>train, epoch 2: 4.00</title></circle>"));
  EXPECT_EQ(count(svg, "<circle "), 3u);
}

TEST(LineChart, KeepsItsAxesFiniteForAnyValues) {
  const std::vector<std::vector<double>> kValues = {{},         {0},          {-1e-300},      {1e300, -1e300},
                                                    {INFINITY}, {1e-9, 2e-9}, {91.62, 91.62}, {1e12, 1e12}};
  for (const std::vector<double>& values : kValues) {
    SCOPED_TRACE(testing::PrintToString(values));
    std::vector<double> epochs(values.size());
    for (std::size_t i = 0; i < epochs.size(); ++i) epochs[i] = 0.1 * static_cast<double>(i);
    const std::string svg = line_chart_svg(chart_of(epochs, values));
    EXPECT_THAT(svg, Not(testing::ContainsRegex("nan|inf")));
    EXPECT_GE(count(svg, "class=\"grid\""), 2u);
    EXPECT_LE(count(svg, "class=\"grid\""), 12u);
  }
}

TEST(LineChart, NamesPhasesSideBySideThenAboveAndNeverOnTopOfEachOther) {
  LineChart chart = chart_of({1, 8}, {1, 2});
  chart.phases = {{0, "fp32"}, {6, "observing"}, {6.4, "quantizing"}, {7.5, "frozen"}};
  const std::string svg = line_chart_svg(chart);
  EXPECT_THAT(svg, HasSubstr("y=\"30.0\" text-anchor=\"start\" class=\"phase-name\">observing</text>"));
  EXPECT_THAT(svg, HasSubstr("y=\"14.0\" text-anchor=\"start\" class=\"phase-name\">quantizing</text>"));
  EXPECT_EQ(count(svg, "class=\"phase-name\""), 4u);
  EXPECT_EQ(count(svg, "<rect class=\"phase "), 4u);
  chart.phases = {{0, "fp32"}, {7.9, "frozen"}};  // no room on the right of its mark
  EXPECT_THAT(line_chart_svg(chart),
              HasSubstr("x=\"506.2\" y=\"30.0\" text-anchor=\"end\" class=\"phase-name\">frozen"));
  chart.phases = {{7, "observing"}, {7.01, "quantizing"}, {7.02, "frozen"}};  // no room for the third
  EXPECT_EQ(count(line_chart_svg(chart), "class=\"phase-name\""), 2u);
  EXPECT_THAT(line_chart_svg(chart), HasSubstr("<title>frozen from epoch 7.02</title>"));
}

TEST(CodeHistogram, DrawsABarForEachCodeThatOccurs) {
  const std::string svg = code_histogram_svg("fc1", -2, {0, 1, 1000, 0, 500, 0, 0, 0});
  EXPECT_THAT(svg, HasSubstr("aria-label=\"weight codes of fc1\""));
  // 32 wide each, 62 high at most; a single weight is still 1 high.
  EXPECT_THAT(svg, HasSubstr("d=\"M0 64H32.00V63.00H63.00V64H64.00V2.00H95.00V64H128.00V33.00H159.00V64Z\""));
  EXPECT_THAT(svg, HasSubstr(">-2</text>"));
  EXPECT_THAT(svg, HasSubstr(">5</text>"));
  EXPECT_THAT(svg, HasSubstr("x=\"80.0\" y=\"78.0\" text-anchor=\"middle\" class=\"tick\">0</text>"));
}

}  // namespace
}  // namespace samebits::training
