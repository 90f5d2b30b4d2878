// export/npz, export/safetensors: the whole model comes back from a file, and a wrong file is refused. That
// the arrays are right is shown by tests/python/test_export_files.py.
#include <gmock/gmock.h>

#include <functional>

#include "export/npz/export_npz.h"
#include "export/safetensors/export_safetensors.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "tests/graph/op_cases.h"
#include "tests/io/test_files.h"

namespace samebits {
namespace {

using graph::Graph;
using Path = std::filesystem::path;

struct Format {
  const char* name;
  void (*save)(const Graph& graph, const Path& path);
  Graph (*load)(const Path& path);
};
constexpr Format kFormats[] = {{"net.npz", export_npz, load_npz},
                               {"net.safetensors", export_safetensors, load_safetensors}};

TEST(ExportArrays, GiveBackEveryOperatorAndEveryWeightKind) {
  const TestFolder folder;
  std::vector<Graph> graphs = {graph::graph_of_everything()};
  for (const graph::OpRow& row : graph::op_rows())
    for (const graph::OpCase& c : row.cases) graphs.push_back(graph_of(row, c));
  for (const Format& format : kFormats)
    for (const Graph& graph : graphs) {
      SCOPED_TRACE(format.name + (": " + graph.name));
      format.save(graph, folder / format.name);
      ASSERT_EQ(format.load(folder / format.name), graph);
    }
}

TEST(ExportArrays, HaveTheSameBytesWhenWrittenTwice) {
  const TestFolder folder;
  for (const Format& format : kFormats) {
    format.save(graph::graph_of_everything(), folder / format.name);
    const std::string bytes = read_all(folder / format.name);
    format.save(graph::graph_of_everything(), folder / format.name);
    EXPECT_EQ(read_all(folder / format.name), bytes);
  }
}

TEST(ExportArrays, RefuseAnUnsoundGraphAndAPathThatCannotBeWritten) {
  Graph graph = graph::graph_of_everything();
  for (const Format& format : kFormats)
    EXPECT_EQ(error_of([&] { format.save(graph, Path("no/such/folder") / format.name); }),
              std::string("[write] no/such/folder/") + format.name + ": No such file or directory");
  graph.nodes[0].as<graph::Conv2d>().weight.scale[1] = 0;
  const TestFolder folder;
  for (const Format& format : kFormats)
    EXPECT_EQ(error_of([&] { format.save(graph, folder / format.name); }),
              "[graph] conv1: weight_scale: expected a finite value >= 2^-126, got 0");
  EXPECT_TRUE(names_in(folder.path()).empty());
}

/// A small model, saved, with an array of its file changed by `damage`.
std::string error_of_npz(const std::function<void(io::NpzFile&)>& damage) {
  const TestFolder folder;
  std::mt19937 random(3);
  const Path path = folder / "net.npz";
  export_npz(graph::graph_of(
                 {9}, {graph::node_of("fc", random_linear(graph::kWeightKinds[7], 3, 9, random), {"x"})}),
             path);
  io::NpzFile file = io::read_npz(path);
  damage(file);
  io::write_npz(path, file);
  const std::string error = error_of([&] { load_npz(path); }), where = "[npz] " + path.string() + ": ";
  EXPECT_THAT(error, testing::StartsWith(where));
  return error.substr(std::min(where.size(), error.size()));
}

TEST(ExportArrays, SayWhichArrayIsWrong) {
  using File = io::NpzFile;
  EXPECT_EQ(error_of_npz([](File& file) { file.erase("fc.weight"); }),
            "fc.weight: expected I8 [3, 9], got none");
  EXPECT_EQ(error_of_npz([](File& file) {
              file["fc.weight"].shape = {9, 3};
            }),
            "fc.weight: expected I8 [3, 9], got I8 [9, 3]");
  EXPECT_EQ(error_of_npz([](File& file) { file["fc.weight"].descr = "|u1"; }),
            "fc.weight: expected I8 [3, 9], got |u1 [3, 9]");
  EXPECT_EQ(error_of_npz([](File& file) { file["fc.weight"].bytes[3] = 100; }),
            "fc: weight: expected codes in -8..7, got 100");
  EXPECT_EQ(error_of_npz([](File& file) {
              file["more"] = {"|u1", {0}, {}};
            }),
            "more: expected no array that the graph does not name");
  EXPECT_EQ(error_of_npz([](File& file) { file.erase("samebits.graph"); }),
            "expected an array samebits.graph of bytes, got none; only files of samebits export can be read");
  EXPECT_EQ(error_of_npz([](File& file) {
              file["samebits.graph"] = {"|u1", {1}, {'x'}};
            }),
            "samebits.graph: expected JSON, got a parse error at line 1, column 1");
}

TEST(ExportArrays, ASafetensorsFileOfOthersHasNoGraph) {
  const TestFolder folder;
  const Path path = folder / "net.safetensors";
  io::write_safetensors(path, {});
  EXPECT_EQ(error_of([&] { load_safetensors(path); }),
            "[safetensors] " + path.string() +
                ": expected metadata samebits.graph, got none; only files of samebits export can be read");
}

}  // namespace
}  // namespace samebits
