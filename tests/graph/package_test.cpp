// graph/package.h: nothing is lost on the way, nothing false comes back, and a failed save changes nothing.
#include "graph/package.h"

#include <gmock/gmock.h>

#include <bit>

#include "graph/package_json.h"
#include "io/safetensors.h"
#include "tests/graph/graphs.h"
#include "tests/io/test_files.h"

namespace samebits::runtime {
namespace {

using testing::ElementsAre;

void expect_equal(const Weight& a, const Weight& b) {
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.bits, b.bits);
  EXPECT_EQ(a.qmin, b.qmin);
  EXPECT_EQ(a.qmax, b.qmax);
  EXPECT_EQ(a.group_size, b.group_size);
  EXPECT_EQ(a.codes, b.codes);
  EXPECT_EQ(a.scale, b.scale);
  EXPECT_EQ(a.zero_point, b.zero_point);
}

void expect_equal(const Window& a, const Window& b) {
  EXPECT_EQ(a.kernel, b.kernel);
  EXPECT_EQ(a.stride, b.stride);
  EXPECT_EQ(a.padding, b.padding);
  EXPECT_EQ(a.dilation, b.dilation);
  EXPECT_EQ(a.groups, b.groups);
  EXPECT_EQ(a.ceil_mode, b.ceil_mode);
}

void expect_equal(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.input, b.input);
  EXPECT_EQ(a.input_shape, b.input_shape);
  EXPECT_EQ(a.output, b.output);
  ASSERT_EQ(a.nodes.size(), b.nodes.size());
  for (std::size_t i = 0; i < a.nodes.size(); ++i) {
    const Node &x = a.nodes[i], &y = b.nodes[i];
    SCOPED_TRACE(x.name);
    EXPECT_EQ(x.op, y.op);
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.inputs, y.inputs);
    EXPECT_EQ(x.output, y.output);
    EXPECT_EQ(x.input_grid, y.input_grid);
    EXPECT_EQ(x.bias, y.bias);
    EXPECT_EQ(x.start_dim, y.start_dim);
    expect_equal(x.window, y.window);
    ASSERT_EQ(x.weight.has_value(), y.weight.has_value());
    if (x.weight) expect_equal(*x.weight, *y.weight);
  }
}

/// One linear whose weight has `kind`, named `name`.
Graph one_linear(const WeightKind& kind, const std::string& name = "fc") {
  std::mt19937 random(3);
  return graph_of({-1, 9}, {layer_node(Op::kLinear, name, "x", random_weight(kind, {3, 9}, random), random)});
}

TEST(Package, ReadsBackEveryOpAndEveryWeightKind) {
  const TestFolder folder;
  save_package(graph_of_everything(), folder / "net.samebits");
  expect_equal(load_package(folder / "net.samebits"), graph_of_everything());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("net.samebits"));
  EXPECT_THAT(names_in(folder / "net.samebits"), ElementsAre("codes.safetensors", "graph.json"));
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.name);
    save_package(one_linear(kind), folder / "linear.samebits/");
    expect_equal(load_package(folder / "linear.samebits/"), one_linear(kind));
  }
}

TEST(Package, ReadsBackNamesOfEveryKindAndAGraphWithoutNodes) {
  const TestFolder folder;
  Graph graph = one_linear(kWeightKinds[1], "Schicht \"ä\"\n/1");
  graph.name = std::string("a\\b");
  for (const Graph& g : {graph, graph_of({-1, 2, 3}, {})}) {
    save_package(g, folder / "net.samebits");
    expect_equal(load_package(folder / "net.samebits"), g);
  }
}

TEST(Package, KeepsEveryBitOfAScale) {
  const TestFolder folder;
  const float kScales[] = {0.1f, 1.0f / 3.0f, 0x1p-126f, 0x1.fffffep+127f, 0x1.8cccccp-7f, 7e-9f, 1.0f};
  for (const float scale : kScales) {
    Graph graph = one_linear(kWeightKinds[1]);
    graph.nodes[0].input_grid->scale = scale;
    save_package(graph, folder / "net.samebits");
    const float loaded = load_package(folder / "net.samebits").nodes[0].input_grid->scale;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(loaded), std::bit_cast<std::uint32_t>(scale));
  }
}

TEST(Package, HasTheSameBytesWhenSavedTwice) {
  const TestFolder folder;
  save_package(graph_of_everything(), folder / "a");
  save_package(load_package(folder / "a"), folder / "b");
  for (const char* name : {"graph.json", "codes.safetensors"})
    EXPECT_EQ(read_all(folder / "a" / name), read_all(folder / "b" / name));
  EXPECT_EQ(package_bytes(folder / "a"), std::filesystem::file_size(folder / "a" / "graph.json") +
                                             std::filesystem::file_size(folder / "a" / "codes.safetensors"));
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

/// The package of tests/data/golden.samebits, which tests/python/test_package_files.py reads as well.
Graph golden_graph() {
  Node fc1{.op = Op::kLinear, .name = "fc1", .inputs = {"x"}, .output = "fc1.y"};
  fc1.input_grid = kernels::AffineGrid{.scale = 0.1f, .zero_point = -3, .qmin = -128, .qmax = 127};
  fc1.weight = Weight{.shape = {3, 5},
                      .bits = 4,
                      .qmin = -8,
                      .qmax = 7,
                      .group_size = 4,
                      .codes = {-8, 7, 0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6},
                      .scale = {0.5f, 0.25f, 1.0f, 2.0f, 0.1f, 3.0f},
                      .zero_point = {0, 1, -1, 7, -8, 2}};
  fc1.bias = {1.5f, -0.0f, 1e-3f};
  Node fc2{.op = Op::kLinear, .name = "fc2", .inputs = {"relu.y"}, .output = "fc2.y"};
  fc2.input_grid = kernels::AffineGrid{.scale = 0x1p-7f, .zero_point = 0, .qmin = -127, .qmax = 127};
  fc2.weight = Weight{.shape = {2, 3},
                      .bits = 8,
                      .qmin = -127,
                      .qmax = 127,
                      .codes = {127, -127, 0, 1, -1, 100},
                      .scale = {0.125f, 0.0625f}};
  return graph_of({-1, 5}, {fc1, plain_node(Op::kRelu, "relu", {"fc1.y"}), fc2});
}

TEST(Package, WritesTheFilesThatEarlierVersionsWrote) {
  const TestFolder folder;
  const std::filesystem::path golden = std::filesystem::path(SAMEBITS_TEST_DATA) / "golden.samebits";
  save_package(golden_graph(), folder / "net.samebits");
  for (const char* name : {"graph.json", "codes.safetensors"})
    EXPECT_EQ(read_all(folder / "net.samebits" / name), read_all(golden / name)) << name;
  expect_equal(load_package(golden), golden_graph());
}

/// The package of golden_graph() in a folder "a", for tests that change it.
class BadPackage : public testing::Test {
 protected:
  /// The message of loading it, without the folder's own path.
  std::string error() const {
    std::string text = error_of([&] { load_package(package_); });
    const std::size_t at = text.find(folder_.path().string());
    return at == std::string::npos ? text : text.erase(at, folder_.path().string().size() + 1);
  }

  void expect_graph_error(const char* why, const std::string& from, const std::string& to,
                          const std::string& message) {
    SCOPED_TRACE(why);
    std::string changed = json_;
    const std::size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    write_all(package_ / "graph.json", changed);
    EXPECT_EQ(error(), message);
    write_all(package_ / "graph.json", json_);
  }

  void expect_codes_error(const char* why, void (*change)(io::SafetensorsFile&), const std::string& message) {
    SCOPED_TRACE(why);
    io::SafetensorsFile file = codes_;
    change(file);
    io::write_safetensors(package_ / "codes.safetensors", file);
    EXPECT_EQ(error(), message);
    io::write_safetensors(package_ / "codes.safetensors", codes_);
  }

  TestFolder folder_;
  std::filesystem::path package_ = folder_ / "a";
  std::string json_ = (save_package(golden_graph(), package_), read_all(package_ / "graph.json"));
  io::SafetensorsFile codes_ = io::read_safetensors(package_ / "codes.safetensors");
};

TEST_F(BadPackage, IsRefusedWithThePlaceInGraphJson) {
  const struct {
    const char* why;
    std::string from, to, message;
  } kCases[] = {
      {"no JSON", "{", "", "expected JSON, got a parse error at line 2, column 11"},
      {"a list", json_, "[]", "expected an object, got []"},
      {"brackets without end", json_, std::string(1'000'000, '['),
       "expected at most 16 nested brackets, got more"},
      {"another program's file", "\"samebits\"", "\"onnx\"", "format: expected \"samebits\", got \"onnx\""},
      {"a later version", "\"version\": 1", "\"version\": 2",
       "version: expected 1, the one this build reads, got 2"},
      {"no version", "\"version\": 1,", "", "version: expected a value, got none"},
      {"a key twice", "\"version\"", "\"format\"", "expected every key once, got \"format\" twice"},
      {"a key of the future", "\"has_bias\": false", "\"has_bias\": false, \"dropout\": 0.1",
       "fc2.dropout: unknown key"},
      {"an unknown op", "\"op\": \"relu\"", "\"op\": \"gelu\"",
       "relu.op: expected one of linear, conv2d, relu, max_pool2d, avg_pool2d, flatten, add, got \"gelu\""},
      {"a node without a name", "\"name\": \"fc1\",", "", "nodes[0].name: expected a value, got none"},
      {"a node that is a number", "{\n      \"name\": \"relu\"", "1, {\n      \"name\": \"relu\"",
       "nodes[1]: expected an object, got 1"},
      {"bits in words", "\"bits\": 4", "\"bits\": \"four\"",
       "fc1.weight.bits: expected an integer in 2..8, got \"four\""},
      {"9 bits", "\"bits\": 4", "\"bits\": 9", "fc1.weight.bits: expected an integer in 2..8, got 9"},
      {"half a bit", "\"bits\": 4", "\"bits\": 4.5", "fc1.weight.bits: expected an integer in 2..8, got 4.5"},
      {"an integer beyond int32", "\"qmin\": -8", "\"qmin\": -2147483649",
       "fc1.weight.qmin: expected an integer in -2147483648..2147483647, got -2147483649"},
      {"an integer beyond int64", "\"group_size\": 4", "\"group_size\": 18446744073709551615",
       "fc1.weight.group_size: expected an integer in -9223372036854775808..9223372036854775807, got "
       "18446744073709551615"},
      {"a scale in words", "\"scale\": 0.0078125", "\"scale\": null",
       "fc2.input_grid.scale: expected a number, got null"},
      {"a scale beyond float", "\"scale\": 0.0078125", "\"scale\": 1e300",
       "fc2.input_grid.scale: expected a float32, got 1e+300"},
      {"a flag that is a number", "\"has_bias\": false", "\"has_bias\": 0",
       "fc2.has_bias: expected true or false, got 0"},
      {"inputs in no list", "[\n        \"relu.y\"\n      ]", "\"relu.y\"",
       "fc2.inputs: expected a list, got \"relu.y\""},
      {"an input that is a number", "\"relu.y\"\n      ]", "1\n      ]",
       "fc2.inputs: expected a list of texts, got 1"},
      {"a name that is a number", "\"output\": \"fc2.y\"", "\"output\": 2", "output: expected a text, got 2"},
  };
  for (const auto& c : kCases)
    expect_graph_error(c.why, c.from, c.to, "[package] a/graph.json: " + c.message);
}

TEST_F(BadPackage, IsRefusedWhenGraphAndCodesDoNotFit) {
  const std::string codes = "[package] a/codes.safetensors: ";
  expect_graph_error("a larger shape", "3,\n          5\n", "3,\n          9\n",
                     codes + "fc1.weight: expected U8 [14], got U8 [8]");
  expect_graph_error(
      "a shape beyond every file", "3,\n          5\n", "65536,\n          65536\n",
      codes +
          "fc1: weight: expected sizes >= 1 of at most 2147483648 elements together, got [65536, "
          "65536]");
  expect_graph_error("a shape without sizes", "3,\n          5\n", "",
                     codes + "fc1: weight: expected shape [out, in], got []");
  expect_graph_error("other bits", "\"bits\": 8", "\"bits\": 3",
                     codes + "fc2.weight: expected U8 [3], got I8 [2, 3]");
  expect_graph_error("a group size of 0", "\"group_size\": 4", "\"group_size\": 0",
                     codes + "fc1.weight_scale: expected F32 [1] or [3], got F32 [3, 2]");
  expect_graph_error(
      "a group size below 0", "\"group_size\": 4", "\"group_size\": -1",
      codes + "fc1: weight: expected a group_size that is a multiple of 4, or 0 for none, got -1");
  expect_graph_error("a bias that is not there", "\"has_bias\": false", "\"has_bias\": true",
                     codes + "fc2.bias: expected F32 [2], got none");
  expect_graph_error("a bias that nobody reads", "\"has_bias\": true", "\"has_bias\": false",
                     codes + "fc1.bias: expected no tensor that graph.json does not name");
  expect_graph_error("a graph that is none", "\"relu.y\"\n      ]", "\"relu\"\n      ]",
                     "[package] a: fc2: expected an input made before it, got \"relu\"");
  expect_graph_error("a scale of 0", "\"scale\": 0.0078125", "\"scale\": 0.0",
                     "[package] a: fc2: input_grid: expected a finite value >= 2^-126, got 0");
  expect_graph_error("codes beyond the range", "\"bits\": 8,\n        \"qmin\": -127",
                     "\"bits\": 8,\n        \"qmin\": -126",
                     "[package] a: fc2: weight: expected codes in -126..127, got -127");
}

TEST_F(BadPackage, IsRefusedForEveryTensorThatIsNotAsDescribed) {
  const std::string codes = "[package] a/codes.safetensors: ";
  expect_codes_error(
      "no weight", [](io::SafetensorsFile& f) { f.tensors.erase("fc2.weight"); },
      codes + "fc2.weight: expected I8 [2, 3], got none");
  expect_codes_error(
      "another dtype", [](io::SafetensorsFile& f) { f.tensors["fc2.weight"].dtype = std::string("U8"); },
      codes + "fc2.weight: expected I8 [2, 3], got U8 [2, 3]");
  expect_codes_error(
      "transposed",
      [](io::SafetensorsFile& f) {
        f.tensors["fc2.weight"].shape = {3, 2};
      },
      codes + "fc2.weight: expected I8 [2, 3], got I8 [3, 2]");
  expect_codes_error(
      "no scale", [](io::SafetensorsFile& f) { f.tensors.erase("fc1.weight_scale"); },
      codes + "fc1.weight_scale: expected F32 [3, 2], got none");
  expect_codes_error(
      "scales of integers", [](io::SafetensorsFile& f) { f.tensors["fc2.weight_scale"].dtype = "I32"; },
      codes + "fc2.weight_scale: expected F32 [1] or [2], got I32 [2]");
  expect_codes_error(
      "no zero points", [](io::SafetensorsFile& f) { f.tensors.erase("fc1.weight_zero_point"); },
      codes + "fc1.weight_zero_point: expected I8 [3, 2], got none");
  expect_codes_error(
      "a scale that is NaN",
      [](io::SafetensorsFile& f) { f.tensors["fc2.weight_scale"].bytes = {0, 0, 192, 127, 0, 0, 0, 64}; },
      "[package] a: fc2: weight_scale: expected a finite value >= 2^-126, got nan");
  expect_codes_error(
      "a zero point outside", [](io::SafetensorsFile& f) { f.tensors["fc1.weight_zero_point"].bytes[0] = 8; },
      "[package] a: fc1: weight_zero_point: expected a zero point in -8..7, got 8");
}

TEST_F(BadPackage, IsRefusedWhenAFileIsMissingOrCutOff) {
  const std::string bytes = read_all(package_ / "codes.safetensors");
  write_all(package_ / "codes.safetensors", bytes.substr(0, bytes.size() - 4));
  EXPECT_EQ(error(),
            "[safetensors] a/codes.safetensors: expected 64 bytes of data behind the header, got 60; the "
            "file is truncated or not a safetensors file");
  std::filesystem::remove(package_ / "codes.safetensors");
  EXPECT_EQ(error(), "[safetensors] a/codes.safetensors: No such file or directory");
  EXPECT_EQ(error_of([&] { package_bytes(package_); }),
            "[package] " + (package_ / "codes.safetensors").string() + ": No such file or directory");
  std::filesystem::remove(package_ / "graph.json");
  EXPECT_EQ(error(), "[package] a/graph.json: No such file or directory");
  std::filesystem::create_directory(package_ / "graph.json");
  EXPECT_EQ(error(), "[package] a/graph.json: Is a directory");
  std::filesystem::remove(package_ / "graph.json");
  std::filesystem::resize_file((write_all(package_ / "graph.json", ""), package_ / "graph.json"), 1u << 30);
  EXPECT_EQ(error(), "[package] a/graph.json: expected at most 67108864 bytes, got 1073741824");
}

TEST_F(BadPackage, NeverCrashesWhicheverByteOfGraphJsonIsChanged) {
  int refused = 0, loaded = 0;
  for (std::size_t i = 0; i < json_.size(); ++i) {
    for (const char byte : {'9', '-', '"', '}', '\xff'}) {
      std::string changed = json_;
      changed[i] = byte;
      if (!error_of([&] { from_json(changed); }).empty()) {
        ++refused;
        continue;
      }
      write_all(package_ / "graph.json", changed);
      loaded += error().empty();
    }
  }
  EXPECT_GT(refused, static_cast<int>(json_.size()));
  EXPECT_GT(loaded, 10);  // names and scales may change
}

}  // namespace
}  // namespace samebits::runtime
