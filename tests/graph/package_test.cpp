// graph/package.h: nothing is lost on the way, nothing false comes back, and a failed save changes nothing.
#include "graph/package.h"

#include <gmock/gmock.h>

#include <bit>
#include <ctime>
#include <set>

#include "graph/package_json.h"
#include "io/safetensors.h"
#include "tests/graph/golden.h"
#include "tests/graph/op_cases.h"
#include "tests/io/test_files.h"

namespace samebits::graph {
namespace {

using testing::ElementsAre;

/// One linear whose weight has `kind`, named `name`.
Graph one_linear(const WeightKind& kind, const std::string& name = "fc") {
  std::mt19937 random(3);
  return graph_of({9}, {node_of(name, random_linear(kind, 3, 9, random), {"x"})});
}

TEST(Package, ReadsBackEveryOpAndEveryWeightKind) {
  const TestFolder folder;
  save_package(graph_of_everything(), folder / "net.samebits");
  EXPECT_EQ(load_package(folder / "net.samebits"), graph_of_everything());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("net.samebits"));
  EXPECT_THAT(names_in(folder / "net.samebits"),
              ElementsAre("SHA256SUMS", "codes.safetensors", "graph.json"));
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.name);
    save_package(one_linear(kind), folder / "linear.samebits/");
    EXPECT_EQ(load_package(folder / "linear.samebits/"), one_linear(kind));
  }
}

TEST(Package, ReadsBackNamesOfEveryKindAndAGraphWithoutNodes) {
  const TestFolder folder;
  Graph graph = one_linear(kWeightKinds[1], "Schicht \"ä\"\n/1");
  graph.name = std::string("a\\b");
  for (const Graph& g : {graph, graph_of({2, 3}, {})}) {
    save_package(g, folder / "net.samebits");
    EXPECT_EQ(load_package(folder / "net.samebits"), g);
  }
}

TEST(Package, KeepsEveryBitOfAScale) {
  const TestFolder folder;
  const float kScales[] = {0.1f, 1.0f / 3.0f, 0x1p-126f, 0x1.fffffep+127f, 0x1.8cccccp-7f, 7e-9f, 1.0f};
  for (const float scale : kScales) {
    Graph graph = one_linear(kWeightKinds[1]);
    graph.nodes[0].as<Linear>().input_grid.scale = scale;
    save_package(graph, folder / "net.samebits");
    const float loaded = load_package(folder / "net.samebits").nodes[0].as<Linear>().input_grid.scale;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(loaded), std::bit_cast<std::uint32_t>(scale));
  }
}

TEST(Package, HasTheSameBytesWhenSavedTwice) {
  const TestFolder folder;
  save_package(graph_of_everything(), folder / "a");
  save_package(load_package(folder / "a"), folder / "b");
  std::uintmax_t bytes = 0;
  for (const char* name : {"graph.json", "codes.safetensors", "SHA256SUMS"}) {
    EXPECT_EQ(read_all(folder / "a" / name), read_all(folder / "b" / name));
    bytes += std::filesystem::file_size(folder / "a" / name);
  }
  EXPECT_EQ(package_bytes(folder / "a"), bytes);
}

TEST(Package, ReadsBackEveryCaseOfEveryOperator) {
  const TestFolder folder;
  for (const Operator* op : operators())
    EXPECT_TRUE(
        std::any_of(op_rows().begin(), op_rows().end(),
                    [&](const OpRow& row) { return std::string(row.op) == op->name && !row.cases.empty(); }))
        << op->name << ": expected a row with cases in tests/graph/op_cases.h";
  for (const OpRow& row : op_rows())
    for (const OpCase& c : row.cases) {
      SCOPED_TRACE(row.op + (": " + c.name));
      const Graph graph = graph_of(row, c);
      ASSERT_EQ(error_of([&] { check(graph); }), "");
      save_package(graph, folder / "op.samebits");
      EXPECT_EQ(load_package(folder / "op.samebits"), graph);
    }
}

TEST(Operators, SayWhetherEnginesHaveBitsOfTheirOwn) {
  for (const OpRow& row : op_rows())
    EXPECT_EQ(find_operator(row.op)->is_engines_own, !row.is_exact_in_onnx) << row.op;
}

/// The keys that an operator's attributes have in graph.json, by op.
std::set<std::string> keys_of(const OpRow& row) {
  std::set<std::string> keys;
  for (const OpCase& c : row.cases) {
    const nlohmann::json json = nlohmann::json::parse(to_text(graph_of(row, c)).json);
    for (const auto& [key, value] : json["nodes"][0].items()) keys.insert(key);
  }
  for (const char* common : {"name", "op", "scope", "inputs", "outputs"}) keys.erase(common);
  return keys;
}

TEST(Package, IsDocumentedWithEveryOperatorAndItsKeys) {
  const std::string page = read_all(SAMEBITS_PACKAGE_PAGE);
  for (const OpRow& row : op_rows()) {
    const std::size_t begin = page.find("\n| `" + std::string(row.op) + "` |");
    ASSERT_NE(begin, std::string::npos)
        << row.op << ": expected a row of the table in docs/reference/package.md";
    const std::string line = page.substr(begin + 1, page.find('\n', begin + 1) - begin - 1);
    for (const std::string& key : keys_of(row))
      EXPECT_NE(line.find(key), std::string::npos) << line << " lacks " << key;
  }
}

TEST(Package, StoresCodesOfFourBitsAndFewerTwoAByte) {
  const TestFolder folder;
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.name);
    save_package(one_linear(kind), folder / "a");
    const io::TensorData tensor =
        io::read_safetensors(folder / "a" / "codes.safetensors").tensors.at("fc.weight");
    EXPECT_EQ(tensor.dtype, kind.bits <= 4 ? "U8" : "I8");
    EXPECT_EQ(tensor.shape,
              kind.bits <= 4 ? (std::vector<std::int64_t>{14}) : (std::vector<std::int64_t>{3, 9}));
  }
}

const std::filesystem::path kData = SAMEBITS_TEST_DATA;

TEST(Package, WritesTheFilesThatEarlierBuildsWrote) {
  const TestFolder folder;
  save_package(golden_graph_v2(), folder / "net.samebits");
  for (const char* name : {"graph.json", "codes.safetensors", "SHA256SUMS"})
    EXPECT_EQ(read_all(folder / "net.samebits" / name), read_all(kData / "golden_v2.samebits" / name))
        << name;
  EXPECT_EQ(load_package(kData / "golden_v2.samebits"), golden_graph_v2());
}

TEST(Package, ReadsVersion1) {
  EXPECT_EQ(load_package(kData / "golden.samebits"), golden_graph());
}

TEST(Package, HasTheArraysOfVersion1) {
  const TestFolder folder;
  save_package(golden_graph(), folder / "net.samebits");
  EXPECT_EQ(read_all(folder / "net.samebits" / "codes.safetensors"),
            read_all(kData / "golden.samebits" / "codes.safetensors"));
}

/// Windows, pools and scales of one tensor as version 1 wrote them.
TEST(Package, ReadsWindowsAndGranularitiesOfVersion1) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "a");
  write_all(folder / "a" / "graph.json", R"({"format": "samebits", "version": 1, "name": "net",
    "input": {"name": "x", "shape": [-1, 1, 4, 4]}, "output": "m", "nodes": [
    {"name": "c", "op": "conv2d", "inputs": ["x"], "output": "y", "has_bias": false,
     "input_grid": {"scale": 0.5, "zero_point": 1, "qmin": -128, "qmax": 127},
     "weight": {"shape": [2, 1, 1, 1], "bits": 8, "qmin": -127, "qmax": 127, "group_size": 0, "has_zero_point": false},
     "window": {"stride": [1, 2], "padding": [0, 1], "dilation": [1, 1], "groups": 1}},
    {"name": "p", "op": "max_pool2d", "inputs": ["y"], "output": "m",
     "window": {"kernel": [2, 1], "stride": [2, 1], "padding": [1, 0], "dilation": [1, 1], "ceil_mode": true}}]})");
  io::SafetensorsFile arrays;
  arrays.tensors["c.weight"] = {"I8", {2, 1, 1, 1}, {3, 252}};
  arrays.tensors["c.weight_scale"] = {"F32", {1}, {0, 0, 128, 63}};
  io::write_safetensors(folder / "a" / "codes.safetensors", arrays);
  const Graph graph = load_package(folder / "a");
  const auto& conv = graph.nodes[0].as<Conv2d>();
  EXPECT_EQ(conv.stride, (Pair{1, 2}));
  EXPECT_EQ(conv.padding, (Pair{0, 1}));
  EXPECT_EQ(conv.weight.codes, (std::vector<std::int8_t>{3, -4}));
  EXPECT_EQ(conv.weight.encoding.granularity, quant::Granularity::kPerTensor);
  EXPECT_EQ(graph.nodes[1].as<MaxPool2d>(), (MaxPool2d{{2, 1}, {2, 1}, {1, 0}, {1, 1}, true}));
  EXPECT_EQ(to_text(graph.inputs[0].type.shape), "[batch, 1, 4, 4]");
}

TEST(Package, OfManyNodesTakesTimeInProportion) {
  const auto seconds = [](int count) {
    const TestFolder folder;
    std::vector<Node> nodes;
    for (int i = 0; i < count; ++i)
      nodes.push_back(node_of(io::join("n", i), Relu{}, {i == 0 ? "x" : nodes.back().outputs[0]}));
    save_package(graph_of({2}, std::move(nodes)), folder / "a");
    const std::clock_t begin = std::clock();
    load_package(folder / "a");
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  seconds(500);
  const double small = seconds(2000), large = seconds(32000);
  EXPECT_LT(large, 16 * 6 * small);  // 16 times the nodes; quadratic would be 256 times the time
}

}  // namespace
}  // namespace samebits::graph
