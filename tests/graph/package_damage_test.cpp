// graph/package.h: nothing false comes back from a package that is not as docs/reference/package.md says, or
// that is damaged.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <random>
#include <thread>

#include "graph/package.h"
#include "graph/package_json.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/sha256.h"
#include "tests/graph/golden.h"
#include "tests/io/test_files.h"

namespace samebits::graph {
namespace {

/// SHA256SUMS of what stands in a package.
void write_sums(const std::filesystem::path& package) {
  std::string sums;
  for (const char* name : {"codes.safetensors", "graph.json"})
    sums += io::sha256(read_all(package / name)) + "  " + name + "\n";
  write_all(package / "SHA256SUMS", sums);
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
    write_sums(package_);
    EXPECT_EQ(error(), message);
    write_all(package_ / "graph.json", json_);
  }

  void expect_codes_error(const char* why, void (*change)(io::SafetensorsFile&), const std::string& message) {
    SCOPED_TRACE(why);
    io::SafetensorsFile file = codes_;
    change(file);
    io::write_safetensors(package_ / "codes.safetensors", file);
    write_sums(package_);
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
      {"a later version", "\"version\": 2", "\"version\": 3",
       "version: expected 1 or 2, which this build reads, got 3"},
      {"a NUL behind it", "  ]\n}\n", std::string("  ]\n}\n\0{}", 9),
       "expected JSON, got a NUL at byte 1490"},
      {"no version", "\"version\": 2,", "", "version: expected a value, got none"},
      {"a key twice", "\"version\"", "\"format\"", "expected every key once, got \"format\" twice"},
      {"a key of the future", "\"has_bias\": false", "\"has_bias\": false, \"dropout\": 0.1",
       "fc2.dropout: unknown key"},
      {"an unknown op", "\"op\": \"relu\"", "\"op\": \"fold\"",
       "relu.op: expected one of " + operator_names() + ", got \"fold\""},
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
      {"a key that says nothing", "\"has_bias\": false", "\"has_bias\": false, \"has_channel_scale\": false",
       "fc2.has_channel_scale: expected true, or no such key, got false"},
      {"inputs in no list", "\"inputs\": [\n        \"relu.y\"\n      ]", "\"inputs\": \"relu.y\"",
       "fc2.inputs: expected a list, got \"relu.y\""},
      {"an input that is a number", "\"inputs\": [\n        \"relu.y\"", "\"inputs\": [\n        1",
       "fc2.inputs: expected a list of texts, got 1"},
      {"a name that is a number", "\"name\": \"x\"", "\"name\": 2", "inputs[0].name: expected a text, got 2"},
      {"results in no list", "\"outputs\": [\n    \"fc2.y\"\n  ]", "\"outputs\": \"fc2.y\"",
       "outputs: expected a list, got \"fc2.y\""},
      {"an unknown dtype", "\"float32\"", "\"float16\"",
       "inputs[0].dtype: expected float32, int64 or bool, got \"float16\""},
      {"a size that is no sum", "\"batch\"", "\"2 * batch\"",
       "inputs[0].shape: expected sizes that are integers or like \"batch\" or \"2*batch + 1\", got \"2 * "
       "batch\""},
      {"a negative size", "\"batch\"", "-1",
       "inputs[0].shape: expected sizes that are integers or like \"batch\" or \"2*batch + 1\", got -1"},
      {"an unknown granularity", "\"per_group\"", "\"per_row\"",
       "fc1.weight.granularity: expected per_tensor, per_channel or per_group, got \"per_row\""},
      {"groups that have no size", "\"group_size\": 4", "\"group_size\": 0",
       "fc1.weight.group_size: expected a multiple of 4 per group, else 0, got 0"},
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
      "[package] a/graph.json: fc1.weight: expected sizes >= 1 of at most 2147483648 elements together, got "
      "[65536, 65536]");
  expect_graph_error("a shape without sizes", "3,\n          5\n", "",
                     codes + "fc1.weight: expected U8 [1], got U8 [8]");
  expect_graph_error("other bits", "\"bits\": 8", "\"bits\": 3",
                     codes + "fc2.weight: expected U8 [3], got I8 [2, 3]");
  expect_graph_error("another group size", "\"group_size\": 4", "\"group_size\": 8",
                     codes + "fc1.weight_scale: expected F32 [3, 1], got F32 [3, 2]");
  expect_graph_error("a bias that is not there", "\"has_bias\": false", "\"has_bias\": true",
                     codes + "fc2.bias: expected F32 [n], got none");
  expect_graph_error("factors that are not there", "\"has_bias\": false",
                     "\"has_bias\": false, \"has_channel_scale\": true",
                     codes + "fc2.channel_scale: expected F32 [n], got none");
  expect_graph_error("a bias that nobody reads", "\"has_bias\": true", "\"has_bias\": false",
                     codes + "fc1.bias: expected no tensor that graph.json does not name");
  expect_graph_error("a graph that is none", "\"inputs\": [\n        \"relu.y\"",
                     "\"inputs\": [\n        \"relu\"",
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
      codes + "fc2.weight_scale: expected F32 [2], got I32 [2]");
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
  write_sums(package_);
  EXPECT_EQ(error(),
            "[safetensors] a/codes.safetensors: expected 64 bytes of data behind the header, got 60; the "
            "file is truncated or not a safetensors file");
  std::filesystem::remove(package_ / "codes.safetensors");
  EXPECT_EQ(error(), "[package] a/codes.safetensors: No such file or directory");
  EXPECT_EQ(error_of([&] { package_bytes(package_); }),
            "[package] " + (package_ / "codes.safetensors").string() + ": No such file or directory");
  std::filesystem::remove(package_ / "graph.json");
  EXPECT_EQ(error(), "[package] a/graph.json: No such file or directory");
  std::filesystem::create_directory(package_ / "graph.json");
  EXPECT_EQ(error(), "[package] a/graph.json: Is a directory");
  std::filesystem::remove(package_ / "graph.json");
  std::filesystem::resize_file((write_all(package_ / "graph.json", ""), package_ / "graph.json"), 1u << 30);
  EXPECT_EQ(error(), "[package] a/graph.json: expected at most 16777216 bytes, got 1073741824");
}

TEST_F(BadPackage, IsFoundByAnyBitThatFlips) {
  std::mt19937 random(1);
  for (const char* name : {"graph.json", "codes.safetensors", "SHA256SUMS"}) {
    const std::string bytes = read_all(package_ / name);
    for (std::size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 500) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 1 << random() % 8);
      write_all(package_ / name, changed);
      EXPECT_NE(error(), "") << name << " byte " << i;
    }
    write_all(package_ / name, bytes);
  }
  EXPECT_EQ(error(), "");
}

TEST_F(BadPackage, IsFoundWhenItsFilesAreOfTwoPackages) {
  Graph other = golden_graph();
  other.nodes[2].as<Linear>().weight.codes[0] = 5;
  save_package(other, folder_ / "b");
  std::filesystem::copy_file(folder_ / "b" / "codes.safetensors", package_ / "codes.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(
      error(),
      "[package] a: expected files with the sums of SHA256SUMS, got others; they are damaged, or not of one "
      "package");
  std::filesystem::remove(package_ / "SHA256SUMS");
  EXPECT_EQ(error(),
            "[package] a/SHA256SUMS: expected the sums of codes.safetensors and graph.json, got none");
}

TEST_F(BadPackage, IsReadFromTheFolderThatStoodThereWhenReadingBegan) {
  // While one process replaces the package over and over, another reads it: always the one or the other,
  // whole.
  Graph other = golden_graph();
  for (Node& node : other.nodes)
    if (is_layer(node)) node.as<Linear>().weight.codes[0] = 5;
  other.name = "other";
  std::jthread writer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      save_package(other, package_);
      save_package(golden_graph(), package_);
    }
  });
  // Until both were read, which on a busy machine takes its time.
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::minutes(1);
  int others = 0, goldens = 0;
  while (others + goldens < 300 || ((others == 0 || goldens == 0) && Clock::now() < end)) {
    const Graph graph = load_package(package_);
    ASSERT_TRUE(graph == other || graph == golden_graph());
    ++(graph.name == "other" ? others : goldens);
  }
  EXPECT_GT(others, 0);
  EXPECT_GT(goldens, 0);
}

TEST_F(BadPackage, IsRefusedWhenAFileIsNoRegularOne) {
  for (const char* name : {"graph.json", "codes.safetensors", "SHA256SUMS"}) {
    const std::string bytes = read_all(package_ / name);
    std::filesystem::remove(package_ / name);
    ASSERT_EQ(::mkfifo((package_ / name).c_str(), 0600), 0);
    EXPECT_EQ(error(), std::string("[package] a/") + name + ": expected a regular file, got a pipe");
    std::filesystem::remove(package_ / name);
    write_all(package_ / name, bytes);
  }
}

TEST_F(BadPackage, NeverCrashesWhicheverByteOfGraphJsonIsChanged) {
  int refused = 0, loaded = 0;
  for (std::size_t i = 0; i < json_.size(); ++i) {
    for (const char byte : {'9', '-', '"', '}', '\xff'}) {
      std::string changed = json_;
      changed[i] = byte;
      io::SafetensorsFile arrays = codes_;
      try {
        checked_types(graph_of(io::parse_json(changed), arrays));
        ++loaded;
      } catch (const std::runtime_error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(json_.size()));
  EXPECT_GT(loaded, 10);  // names and scales may change
}

}  // namespace
}  // namespace samebits::graph
