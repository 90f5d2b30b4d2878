// Arrays of the package, and how a folder is replaced as a whole.
#include "graph/package.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "graph/package_json.h"
#include "graph/shapes.h"
#include "io/error.h"
#include "io/json.h"
#include "io/posix.h"
#include "io/safetensors.h"
#include "kernels/formats/pack_int4.h"

namespace samebits::runtime {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian and copied as they are");

constexpr const char* kGraphFile = "graph.json";
constexpr const char* kCodesFile = "codes.safetensors";
constexpr std::uintmax_t kMaxGraphBytes = 64 << 20;
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

Shape codes_shape(const Weight& weight, std::int64_t count) {
  return weight.bits <= kPackedBits ? Shape{kernels::packed_int4_bytes(count)} : weight.shape;
}

Shape scale_shape(const Weight& weight, std::int64_t scale_count) {
  if (weight.group_size == 0) return {scale_count};
  return {weight.shape[0], scale_count / weight.shape[0]};
}

io::TensorData codes_tensor(const Weight& weight) {
  const auto count = static_cast<std::int64_t>(weight.codes.size());
  if (weight.bits > kPackedBits) return {"I8", weight.shape, bytes_of(weight.codes)};
  io::TensorData tensor{"U8", codes_shape(weight, count), {}};
  tensor.bytes.resize(static_cast<std::size_t>(tensor.shape[0]));
  kernels::pack_int4(weight.codes.data(), count, tensor.bytes.data());
  return tensor;
}

io::SafetensorsFile arrays_of(const Graph& graph) {
  io::SafetensorsFile file;
  file.metadata["format"] = "samebits";
  for (const Node& node : graph.nodes) {
    if (!is_layer(node.op)) continue;
    const Weight& weight = *node.weight;
    const Shape scales = scale_shape(weight, static_cast<std::int64_t>(weight.scale.size()));
    file.tensors[node.name + ".weight"] = codes_tensor(weight);
    file.tensors[node.name + ".weight_scale"] = {"F32", scales, bytes_of(weight.scale)};
    if (!weight.zero_point.empty()) {
      const std::vector<std::int8_t> narrow(weight.zero_point.begin(), weight.zero_point.end());
      file.tensors[node.name + ".weight_zero_point"] = {"I8", scales, bytes_of(narrow)};
    }
    if (!node.bias.empty())
      file.tensors[node.name + ".bias"] = {"F32", {std::ssize(node.bias)}, bytes_of(node.bias)};
  }
  return file;
}

/// Takes the tensor out of the file. The shape must be one of `shapes`.
io::TensorData take_tensor(io::SafetensorsFile& file, const std::string& name, const char* dtype,
                           const std::vector<Shape>& shapes) {
  const auto found = file.tensors.find(name);
  std::string expected = dtype;
  for (const Shape& shape : shapes)
    expected += (&shape == &shapes.front() ? " " : " or ") + io::to_text(shape);
  if (found == file.tensors.end())
    throw io::GraphError(io::join(name, ": expected ", expected, ", got none"));
  io::TensorData tensor = std::move(found->second);
  file.tensors.erase(found);
  if (tensor.dtype != dtype || std::find(shapes.begin(), shapes.end(), tensor.shape) == shapes.end())
    throw io::GraphError(
        io::join(name, ": expected ", expected, ", got ", tensor.dtype, ' ', io::to_text(tensor.shape)));
  return tensor;
}

void read_codes(io::SafetensorsFile& file, Node& node) {
  Weight& weight = *node.weight;
  const std::int64_t count = element_count(node.name + ".weight", weight.shape);
  const char* dtype = weight.bits <= kPackedBits ? "U8" : "I8";
  const io::TensorData tensor = take_tensor(file, node.name + ".weight", dtype, {codes_shape(weight, count)});
  if (weight.bits > kPackedBits) {
    weight.codes = values_of<std::int8_t>(tensor.bytes);
    return;
  }
  weight.codes.resize(static_cast<std::size_t>(count));
  kernels::unpack_int4(tensor.bytes.data(), count, weight.codes.data());
}

/// The shapes that weight_scale may have. The weight's own shape is checked.
std::vector<Shape> scale_shapes(const Node& node) {
  const Weight& weight = *node.weight;
  const std::int64_t channels = weight.shape[0], group_size = weight.group_size;
  if (group_size == 0) return channels == 1 ? std::vector<Shape>{{1}} : std::vector<Shape>{{1}, {channels}};
  const std::int64_t depth = weight.shape[1];
  return {{channels, depth / group_size + (depth % group_size != 0)}};
}

void read_arrays(io::SafetensorsFile& file, Node& node, const ArrayFlags& flags) {
  check_weight_shape(node);
  read_codes(file, node);
  Weight& weight = *node.weight;
  const io::TensorData scale = take_tensor(file, node.name + ".weight_scale", "F32", scale_shapes(node));
  weight.scale = values_of<float>(scale.bytes);
  if (flags.has_zero_point) {
    const io::TensorData tensor = take_tensor(file, node.name + ".weight_zero_point", "I8", {scale.shape});
    const std::vector<std::int8_t> narrow = values_of<std::int8_t>(tensor.bytes);
    weight.zero_point.assign(narrow.begin(), narrow.end());
  }
  if (flags.has_bias)
    node.bias = values_of<float>(take_tensor(file, node.name + ".bias", "F32", {{weight.shape[0]}}).bytes);
}

std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) io::fail("[package] ", path.string(), ": ", error.message());
  if (bytes > kMaxGraphBytes)
    io::fail("[package] ", path.string(), ": expected at most ", kMaxGraphBytes, " bytes, got ", bytes);
  std::string text(bytes, '\0');
  std::ifstream input(path, std::ios::binary);
  if (!input.read(text.data(), static_cast<std::streamsize>(bytes)))
    io::fail("[package] ", path.string(), ": could not be read");
  return text;
}

/// "net.samebits/" and "net.samebits" are one folder.
std::filesystem::path without_slash(const std::filesystem::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

/// Nothing of the user's may be lost: only a package, or an empty folder, is replaced.
void check_replaceable(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folder, error))) return;
  const bool is_package = std::filesystem::exists(folder / kGraphFile, error);
  const bool is_empty =
      std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error);
  if (!is_package && !is_empty)
    io::fail("[package] ", folder.string(),
             ": expected a package or nothing to replace, got something else; choose another name");
}

/// Renames `fresh` to `folder`. What stood there is at `fresh` afterwards. Returns false, with errno set,
/// when it failed.
bool swap_in(const std::filesystem::path& fresh, const std::filesystem::path& folder) {
  // To an unused name, or onto an empty folder.
  if (std::rename(fresh.c_str(), folder.c_str()) == 0) return true;
  if (errno != ENOTEMPTY && errno != EEXIST) return false;
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // The file system cannot exchange: the old one steps aside, and comes back when the new one fails.
  const std::filesystem::path old = io::temporary_beside(folder);
  if (std::rename(folder.c_str(), old.c_str()) != 0) return false;
  const bool is_renamed = std::rename(fresh.c_str(), folder.c_str()) == 0;
  const int cause = errno;
  std::rename(old.c_str(), is_renamed ? fresh.c_str() : folder.c_str());
  errno = cause;
  return is_renamed;
}

/// A folder that is gone when the guard ends.
struct TemporaryFolder {
  std::filesystem::path path;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

void save_package(const Graph& graph, const std::filesystem::path& folder_in) {
  check(graph);
  const std::filesystem::path folder = without_slash(folder_in);
  check_replaceable(folder);
  std::string json;
  try {
    json = to_json(graph);
  } catch (const std::exception& error) {
    io::fail("[package] ", folder.string(), ": expected names in UTF-8, got ", io::shortened(error.what()));
  }
  const std::string codes = io::safetensors_bytes(arrays_of(graph), folder / kCodesFile);
  const io::Descriptor parent = io::open_folder_of(folder);
  const TemporaryFolder fresh{io::temporary_beside(folder)};
  if (::mkdir(fresh.path.c_str(), 0777) != 0) io::fail_write(folder, errno);
  io::write_new_file(fresh.path / kGraphFile, json, folder / kGraphFile);
  io::write_new_file(fresh.path / kCodesFile, codes, folder / kCodesFile);
  const io::Descriptor inside = io::open_folder_of(fresh.path / kGraphFile);
  if (::fsync(inside.get()) != 0 || !swap_in(fresh.path, folder) || ::fsync(parent.get()) != 0)
    io::fail_write(folder, errno);
}

Graph load_package(const std::filesystem::path& folder_in) {
  const std::filesystem::path folder = without_slash(folder_in);
  const std::string text = read_text(folder / kGraphFile);
  std::string where = (folder / kGraphFile).string();
  try {
    auto [graph, arrays] = from_json(text);
    where = (folder / kCodesFile).string();
    io::SafetensorsFile file = io::read_safetensors(folder / kCodesFile);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      if (is_layer(graph.nodes[i].op)) read_arrays(file, graph.nodes[i], arrays[i]);
    if (!file.tensors.empty())
      throw io::GraphError(file.tensors.begin()->first +
                           ": expected no tensor that graph.json does not name");
    where = folder.string();
    checked_shapes(graph);
    return graph;
  } catch (const io::JsonError& error) {
    io::fail("[package] ", where, ": ", error.what());
  } catch (const io::GraphError& error) {
    io::fail("[package] ", where, ": ", error.what());
  }
}

std::uintmax_t package_bytes(const std::filesystem::path& folder) {
  std::uintmax_t bytes = 0;
  for (const char* name : {kGraphFile, kCodesFile}) {
    std::error_code error;
    bytes += std::filesystem::file_size(folder / name, error);
    if (error) io::fail("[package] ", (folder / name).string(), ": ", error.message());
  }
  return bytes;
}

}  // namespace samebits::runtime
