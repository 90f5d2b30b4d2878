// Arrays of an interpreter as npy files, of the very dtype: nothing is converted.
#pragma once

#include <filesystem>

#include "graph/graph.h"
#include "runtime/array.h"

namespace samebits::runtime {

/// The array for an input. Throws std::runtime_error, "[npy] PATH: …", when the file is none of its dtype.
Array read_npy(const std::filesystem::path& path, const graph::Input& input);

/// Whole or not at all, as write_file_atomically().
void write_npy(const std::filesystem::path& path, const Array& array);

}  // namespace samebits::runtime
