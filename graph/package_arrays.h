// The arrays of a graph, "NODE.weight" and so on: where they are put and taken from, in whatever file, and as
// tensors of codes.safetensors. Format: docs/reference/package.md.
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

/// Takes the arrays of a graph, in the order of its nodes.
class ArraySink {
 public:
  virtual ~ArraySink() = default;
  virtual void codes(const std::string& name, const quant::QuantizedTensor& tensor) = 0;
  virtual void floats(const std::string& name, const Sizes& shape, const std::vector<float>& values) = 0;
  virtual void constant(const std::string& name, const ConstantTensor& tensor) = 0;
};

/// Gives the arrays of a graph. Throws ArraysError for one that is missing or has another dtype or shape.
class ArraySource {
 public:
  virtual ~ArraySource() = default;
  /// Fills in codes, scales and zero points of a tensor whose encoding and shape are there; neither is
  /// checked yet.
  virtual void codes(const std::string& name, quant::QuantizedTensor& tensor) = 0;
  /// An empty `shape` is any one of rank 1.
  virtual std::vector<float> floats(const std::string& name, const Sizes& shape) = 0;
  /// Fills in the values of a constant whose dtype and shape are there.
  virtual void constant(const std::string& name, ConstantTensor& tensor) = 0;
  /// Throws when there is an array that was not asked for.
  virtual void end() = 0;
};

/// The shape of a tensor's scales: [1], [out] or [out, groups].
Sizes scale_shape(const quant::QuantizedTensor& tensor);

/// Adds NAME, NAME_scale and NAME_zero_point.
void write_codes(const std::string& name, const quant::QuantizedTensor& tensor, io::SafetensorsFile& file);
void write_floats(const std::string& name, const Sizes& shape, const std::vector<float>& values,
                  io::SafetensorsFile& file);

/// Fills in codes, scales and zero points of a tensor whose encoding and shape are there, and takes them out
/// of the file. Throws ArraysError when they are not of the dtype and shape that these ask for.
void read_codes(const std::string& name, quant::QuantizedTensor& tensor, io::SafetensorsFile& file);
/// The same of a constant, whose dtype and shape are there.
void write_constant(const std::string& name, const ConstantTensor& tensor, io::SafetensorsFile& file);
void read_constant(const std::string& name, ConstantTensor& tensor, io::SafetensorsFile& file);

/// The values of one tensor; an empty `shape` is any one of rank 1.
std::vector<float> read_floats(const std::string& name, const Sizes& shape, io::SafetensorsFile& file);

}  // namespace samebits::graph
