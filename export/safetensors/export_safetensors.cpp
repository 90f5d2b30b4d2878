#include "export/safetensors/export_safetensors.h"

#include "export/arrays/graph_text.h"
#include "export/arrays/plain_arrays.h"
#include "io/error.h"

namespace samebits {
namespace {

std::string where(const std::filesystem::path& path) {
  return "[safetensors] " + path.string();
}

}  // namespace

void export_safetensors(const graph::Graph& graph, const std::filesystem::path& path) {
  PlainArrays plain = plain_arrays(graph, where(path));
  plain.arrays.metadata = {{"format", "samebits"}, {kGraphKey, std::move(plain.graph)}};
  io::write_safetensors(path, plain.arrays);
}

graph::Graph load_safetensors(const std::filesystem::path& path) {
  PlainArrays plain{{}, io::read_safetensors(path)};
  const auto graph = plain.arrays.metadata.find(kGraphKey);
  if (graph == plain.arrays.metadata.end())
    io::fail(where(path), ": expected metadata ", kGraphKey,
             ", got none; only files of samebits export can be read");
  plain.graph = graph->second;
  return graph_of(std::move(plain), where(path));
}

}  // namespace samebits
