// Every format of files that is written without torch or protobuf, by the name that users say: one
// list for the key `export`, for samebits export and for verify.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace samebits {

struct ExportFormat {
  std::string_view name;       // "npz"
  std::string_view extension;  // of a file, or of a folder: ".npz"
  void (*save)(const graph::Graph& graph, const std::filesystem::path& path);
  graph::Graph (*load)(const std::filesystem::path& path);  // null: is only written
};

std::span<const ExportFormat> export_formats();
/// Null: there is none of that name, or of that file's extension.
const ExportFormat* find_format(std::string_view name);
const ExportFormat* format_of_file(const std::filesystem::path& path);

/// The graph that an exported file holds, checked. Throws std::runtime_error that names the file,
/// also for a format that cannot be read.
graph::Graph load_exported(const std::filesystem::path& path);

}  // namespace samebits
