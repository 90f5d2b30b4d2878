// Arrays of numbers as the bytes of a file's tensors, and back.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "graph/package_arrays.h"
#include "io/error.h"
#include "io/safetensors.h"

namespace samebits {

template <class T>
std::vector<std::uint8_t> bytes_of(const std::vector<T>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T>
std::vector<T> values_of(const std::vector<std::uint8_t>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

template <class T>
io::TensorData tensor_of(const char* dtype, graph::Sizes shape, const std::vector<T>& values) {
  return {dtype, std::move(shape), bytes_of(values)};
}

/// Takes a tensor out of the file. An empty `shape` is any one of rank 1. Throws ArraysError when it
/// is not there or has another dtype or shape.
template <class T>
std::vector<T> take(io::SafetensorsFile& file, const std::string& name, const char* dtype,
                    const graph::Sizes& shape) {
  const auto found = file.tensors.find(name);
  const std::string expected = io::join(dtype, ' ', shape.empty() ? "[n]" : io::to_text(shape));
  if (found == file.tensors.end())
    throw graph::ArraysError(io::join(name, ": expected ", expected, ", got none"));
  const io::TensorData tensor = std::move(found->second);
  file.tensors.erase(found);
  const bool fits = shape.empty() ? tensor.shape.size() == 1 : tensor.shape == shape;
  if (tensor.dtype != dtype || !fits)
    throw graph::ArraysError(
        io::join(name, ": expected ", expected, ", got ", tensor.dtype, ' ', io::to_text(tensor.shape)));
  return values_of<T>(tensor.bytes);
}

}  // namespace samebits
