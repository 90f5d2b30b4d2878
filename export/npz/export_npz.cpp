#include "export/npz/export_npz.h"

#include <algorithm>
#include <iterator>

#include "export/arrays/graph_text.h"
#include "export/arrays/plain_arrays.h"
#include "io/error.h"
#include "io/npz.h"

namespace samebits {
namespace {

struct DtypeName {
  const char *safetensors, *numpy;
};
constexpr DtypeName kDtypes[] = {{"I8", "|i1"}, {"F32", "<f4"}, {"I64", "<i8"}, {"BOOL", "|b1"}};

std::string where(const std::filesystem::path& path) {
  return "[npz] " + path.string();
}

}  // namespace

void export_npz(const graph::Graph& graph, const std::filesystem::path& path) {
  PlainArrays plain = plain_arrays(graph, where(path));
  io::NpzFile file;
  for (auto& [name, tensor] : plain.arrays.tensors) {
    const auto* dtype = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                     [&](const DtypeName& each) { return tensor.dtype == each.safetensors; });
    if (dtype == std::end(kDtypes))
      io::fail(where(path), ": ", name, ": expected float32, int64, int8 or bool, got ", tensor.dtype);
    file[name] = {dtype->numpy, std::move(tensor.shape), std::move(tensor.bytes)};
  }
  file[kGraphKey] = {
      "|u1", {static_cast<std::int64_t>(plain.graph.size())}, {plain.graph.begin(), plain.graph.end()}};
  io::write_npz(path, file);
}

graph::Graph load_npz(const std::filesystem::path& path) {
  io::NpzFile file = io::read_npz(path);
  const auto graph = file.find(kGraphKey);
  if (graph == file.end() || graph->second.descr != "|u1")
    io::fail(where(path), ": expected an array ", kGraphKey,
             " of bytes, got none; only files of samebits export can be read");
  PlainArrays plain{{graph->second.bytes.begin(), graph->second.bytes.end()}, {}};
  file.erase(graph);
  for (auto& [name, array] : file) {
    const auto* dtype = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                     [&](const DtypeName& each) { return array.descr == each.numpy; });
    // Another type is another's dtype to whoever asks for the array.
    plain.arrays.tensors[name] = {dtype == std::end(kDtypes) ? array.descr : dtype->safetensors,
                                  std::move(array.shape), std::move(array.bytes)};
  }
  return graph_of(std::move(plain), where(path));
}

}  // namespace samebits
