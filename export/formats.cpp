#include "export/formats.h"

#include <algorithm>

#include "export/c_header/export_c_header.h"
#include "export/compressed_tensors/export_compressed_tensors.h"
#include "export/gguf/export_gguf.h"
#include "export/npz/export_npz.h"
#include "export/safetensors/export_safetensors.h"
#include "graph/package.h"
#include "io/error.h"

namespace samebits {
namespace {

template <class Is>
const ExportFormat* find(Is is) {
  const auto all = export_formats();
  const auto found = std::find_if(all.begin(), all.end(), is);
  return found == all.end() ? nullptr : &*found;
}

/// "model/" and "model" are one folder.
std::filesystem::path without_slash(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

std::span<const ExportFormat> export_formats() {
  static constexpr ExportFormat kFormats[] = {
      {"package", ".samebits", graph::save_package, graph::load_package},
      {"safetensors", ".safetensors", export_safetensors, load_safetensors},
      {"compressed_tensors", ".compressed", export_compressed_tensors, load_compressed_tensors},
      {"gguf", ".gguf", export_gguf, load_gguf},
      {"npz", ".npz", export_npz, load_npz},
      {"c_header", ".h", export_c_header, nullptr},
  };
  return kFormats;
}

const ExportFormat* find_format(std::string_view name) {
  return find([&](const ExportFormat& each) { return each.name == name; });
}

const ExportFormat* format_of_file(const std::filesystem::path& path) {
  return find([extension = without_slash(path).extension()](const ExportFormat& each) {
    return extension == each.extension;
  });
}

graph::Graph load_exported(const std::filesystem::path& path) {
  const ExportFormat* format = format_of_file(path);
  if (format != nullptr && format->load != nullptr) return format->load(without_slash(path));
  std::string readable;
  for (const ExportFormat& each : export_formats())
    if (each.load != nullptr) readable += (readable.empty() ? "" : ", ") + std::string(each.extension);
  io::fail("[export] ", path.string(), ": expected a file that ends in one of ", readable, ", got another");
}

}  // namespace samebits
