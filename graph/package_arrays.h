// The arrays of a node as tensors of codes.safetensors, "NODE.weight" and so on. Format:
// docs/reference/package.md.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "io/safetensors.h"
#include "quant/quantized_tensor.h"

namespace samebits::graph {

/// A problem of the arrays, rather than of graph.json.
struct ArraysError : GraphError {
  using GraphError::GraphError;
};

/// Adds NAME, NAME_scale and NAME_zero_point.
void write_codes(const std::string& name, const quant::QuantizedTensor& tensor, io::SafetensorsFile& file);
void write_floats(const std::string& name, const Sizes& shape, const std::vector<float>& values,
                  io::SafetensorsFile& file);

/// Fills in codes, scales and zero points of a tensor whose encoding and shape are there, and takes them out
/// of the file. Throws ArraysError when they are not of the dtype and shape that these ask for.
void read_codes(const std::string& name, quant::QuantizedTensor& tensor, io::SafetensorsFile& file);
/// The same of one tensor; an empty `shape` is any one of rank 1.
std::vector<float> read_floats(const std::string& name, const Sizes& shape, io::SafetensorsFile& file);

}  // namespace samebits::graph
