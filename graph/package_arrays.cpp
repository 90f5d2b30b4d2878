#include "graph/package_arrays.h"

#include <bit>
#include <cstring>

#include "graph/graph.h"
#include "io/error.h"
#include "kernels/formats/pack_int4.h"

namespace samebits::graph {
namespace {

using quant::Granularity;
using quant::QuantizedTensor;

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian and copied as they are");

constexpr int kPackedBits = 4;  // codes of so many bits or fewer are stored two a byte

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

/// Takes the tensor out of the file. An empty shape is any one of rank 1, unless it `is_exact`.
io::TensorData take(io::SafetensorsFile& file, const std::string& name, const char* dtype, const Sizes& shape,
                    bool is_exact = false) {
  const bool is_any = shape.empty() && !is_exact;
  const std::string expected = std::string(dtype) + " " + (is_any ? "[n]" : io::to_text(shape));
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) throw ArraysError(io::join(name, ": expected ", expected, ", got none"));
  io::TensorData tensor = std::move(found->second);
  file.tensors.erase(found);
  const bool fits = is_any ? tensor.shape.size() == 1 : tensor.shape == shape;
  if (tensor.dtype != dtype || !fits)
    throw ArraysError(
        io::join(name, ": expected ", expected, ", got ", tensor.dtype, ' ', io::to_text(tensor.shape)));
  return tensor;
}

}  // namespace

Sizes scale_shape(const QuantizedTensor& tensor) {
  const std::int64_t groups = quant::groups_per_row(tensor.encoding, tensor.row_length());
  switch (tensor.encoding.granularity) {
    case Granularity::kPerTensor:
      return {1};
    case Granularity::kPerChannel:
      return {tensor.rows()};
    case Granularity::kPerGroup:
      return {tensor.rows(), groups};
  }
  return {};
}

void write_codes(const std::string& name, const QuantizedTensor& tensor, io::SafetensorsFile& file) {
  const auto count = static_cast<std::int64_t>(tensor.codes.size());
  io::TensorData& codes = file.tensors[name];
  if (tensor.encoding.bits > kPackedBits) {
    codes = {"I8", tensor.shape, bytes_of(tensor.codes)};
  } else {
    codes = {"U8", {kernels::packed_int4_bytes(count)}, {}};
    codes.bytes.resize(static_cast<std::size_t>(codes.shape[0]));
    kernels::pack_int4(tensor.codes.data(), count, codes.bytes.data());
  }
  file.tensors[name + "_scale"] = {"F32", scale_shape(tensor), bytes_of(tensor.scale)};
  if (tensor.zero_point.empty()) return;
  const std::vector<std::int8_t> narrow(tensor.zero_point.begin(), tensor.zero_point.end());
  file.tensors[name + "_zero_point"] = {"I8", scale_shape(tensor), bytes_of(narrow)};
}

void write_floats(const std::string& name, const Sizes& shape, const std::vector<float>& values,
                  io::SafetensorsFile& file) {
  file.tensors[name] = {"F32", shape, bytes_of(values)};
}

void read_codes(const std::string& name, QuantizedTensor& tensor, io::SafetensorsFile& file) {
  const std::int64_t count = element_count(name, tensor.shape);
  if (tensor.encoding.bits > kPackedBits) {
    tensor.codes = values_of<std::int8_t>(take(file, name, "I8", tensor.shape).bytes);
  } else {
    const io::TensorData packed = take(file, name, "U8", {kernels::packed_int4_bytes(count)});
    tensor.codes.resize(static_cast<std::size_t>(count));
    kernels::unpack_int4(packed.bytes.data(), count, tensor.codes.data());
  }
  tensor.scale = values_of<float>(take(file, name + "_scale", "F32", scale_shape(tensor)).bytes);
  if (tensor.encoding.symmetric) return;
  const std::vector<std::int8_t> narrow =
      values_of<std::int8_t>(take(file, name + "_zero_point", "I8", scale_shape(tensor)).bytes);
  tensor.zero_point.assign(narrow.begin(), narrow.end());
}

void write_constant(const std::string& name, const ConstantTensor& tensor, io::SafetensorsFile& file) {
  switch (tensor.dtype) {
    case Dtype::kFloat32:
      return write_floats(name, tensor.shape, tensor.floats, file);
    case Dtype::kInt64:
      file.tensors[name] = {"I64", tensor.shape, bytes_of(tensor.integers)};
      return;
    case Dtype::kBool:
      file.tensors[name] = {"BOOL", tensor.shape, tensor.flags};
  }
}

void read_constant(const std::string& name, ConstantTensor& tensor, io::SafetensorsFile& file) {
  const auto taken = [&](const char* dtype) { return take(file, name, dtype, tensor.shape, true).bytes; };
  switch (tensor.dtype) {
    case Dtype::kFloat32:
      tensor.floats = values_of<float>(taken("F32"));
      return;
    case Dtype::kInt64:
      tensor.integers = values_of<std::int64_t>(taken("I64"));
      return;
    case Dtype::kBool:
      tensor.flags = taken("BOOL");
  }
}

std::vector<float> read_floats(const std::string& name, const Sizes& shape, io::SafetensorsFile& file) {
  return values_of<float>(take(file, name, "F32", shape).bytes);
}

}  // namespace samebits::graph
