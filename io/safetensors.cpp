// Tensors are laid out as the Python package does, wider dtypes first and then by name: every tensor is
// aligned, and both writers give the same bytes. A reader trusts nothing: every size is held against the
// file's own.
#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include "io/atomic_file.h"
#include "io/error.h"
#include "io/json.h"
#include "io/regular_file.h"

namespace samebits::io {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// The format allows 100 MB; this holds 100,000 tensors, and its JSON fits memory that anyone has.
constexpr std::uint64_t kMaxHeaderBytes = 16 << 20;
constexpr std::size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";

struct Dtype {
  std::string_view name;
  std::uint64_t bytes;
};
/// In file order.
constexpr std::array<Dtype, 10> kDtypes = {{{"I64", 8},
                                            {"F64", 8},
                                            {"F32", 4},
                                            {"I32", 4},
                                            {"BF16", 2},
                                            {"F16", 2},
                                            {"I16", 2},
                                            {"I8", 1},
                                            {"U8", 1},
                                            {"BOOL", 1}}};

/// Place in kDtypes; kDtypes.size() when it is not there.
std::size_t dtype_index(std::string_view name) {
  const auto found =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return d.name == name; });
  return static_cast<std::size_t>(found - kDtypes.begin());
}

/// Reports one tensor of one file.
struct Place {
  const std::filesystem::path& path;
  const std::string& tensor;

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    io::fail("[safetensors] ", path.string(), ": ", tensor, ": ", parts...);
  }
};

/// Bytes that dtype and shape ask for.
std::uint64_t expected_bytes(const std::string& dtype, const std::vector<std::int64_t>& shape,
                             const Place& at) {
  const std::size_t index = dtype_index(dtype);
  if (index == kDtypes.size())
    at.fail("expected dtype F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, got \"", dtype, '"');
  std::uint64_t bytes = kDtypes[index].bytes;
  for (const std::int64_t size : shape) {
    std::uint64_t product = 0;
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &product))
      at.fail("expected a shape of sizes >= 0 below 2^64 bytes, got ", to_text(shape));
    bytes = product;
  }
  return bytes;
}

std::string header_text(const SafetensorsFile& file, const std::vector<std::string>& order) {
  OrderedJson header = OrderedJson::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  std::uint64_t offset = 0;
  for (const std::string& name : order) {
    const TensorData& tensor = file.tensors.at(name);
    OrderedJson& entry = header[name];
    entry["dtype"] = tensor.dtype;
    entry["shape"] = tensor.shape;
    entry["data_offsets"] = {offset, offset + tensor.bytes.size()};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
  return text;
}

void append_length(std::string& contents, std::uint64_t length) {
  for (std::size_t i = 0; i < kLengthBytes; ++i) contents.push_back(static_cast<char>(length >> (8 * i)));
}

std::uint64_t length_of(const std::array<unsigned char, kLengthBytes>& bytes) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) length |= std::uint64_t{bytes[i]} << (8 * i);
  return length;
}

Json parse_header(const std::string& text, const std::filesystem::path& path) {
  Json header;
  try {
    header = parse_json(text);
  } catch (const JsonError& error) {
    fail("[safetensors] ", path.string(), ": header: ", error.what());
  }
  if (!header.is_object())
    fail("[safetensors] ", path.string(), ": header: expected an object, got ", shortened(header.dump()));
  return header;
}

struct Entry {
  std::string name;
  TensorData tensor;
  std::uint64_t begin = 0, end = 0;
};

std::uint64_t unsigned_of(const Json& value, const char* what, const Place& at) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMax)
    at.fail("expected integers >= 0 in ", what, ", got ", shortened(value.dump()));
  return value.get<std::uint64_t>();
}

Entry entry_of(const std::string& name, const Json& value, const Place& at) {
  const auto is_array = [&](const char* key) { return value.contains(key) && value[key].is_array(); };
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value["dtype"].is_string() ||
      !is_array("shape") || !is_array("data_offsets") || value["data_offsets"].size() != 2)
    at.fail("expected {\"dtype\": text, \"shape\": [sizes], \"data_offsets\": [begin, end]}, got ",
            shortened(value.dump()));
  Entry entry{.name = name, .tensor = {.dtype = value["dtype"], .shape = {}, .bytes = {}}};
  for (const Json& size : value["shape"])
    entry.tensor.shape.push_back(static_cast<std::int64_t>(unsigned_of(size, "shape", at)));
  entry.begin = unsigned_of(value["data_offsets"][0], "data_offsets", at);
  entry.end = unsigned_of(value["data_offsets"][1], "data_offsets", at);
  const std::uint64_t bytes = expected_bytes(entry.tensor.dtype, entry.tensor.shape, at);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    at.fail("expected ", bytes, " bytes for ", entry.tensor.dtype, ' ', to_text(entry.tensor.shape),
            ", got data_offsets [", entry.begin, ", ", entry.end, ']');
  return entry;
}

std::map<std::string, std::string> metadata_of(const Json& value, const std::filesystem::path& path) {
  const std::string name = kMetadata;
  const Place at{path, name};
  if (!value.is_object()) at.fail("expected an object of texts, got ", shortened(value.dump()));
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) at.fail("expected a text for \"", key, "\", got ", shortened(text.dump()));
    metadata[key] = text;
  }
  return metadata;
}

/// Entries in file order, known to cover [0, data_bytes) without gap or overlap.
std::vector<Entry> entries_of(const Json& header, std::uint64_t data_bytes,
                              const std::filesystem::path& path) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items())
    if (name != kMetadata) entries.push_back(entry_of(name, value, {path, name}));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t offset = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != offset)
      Place{path, entry.name}.fail("expected data that begin at ", offset,
                                   ", where the tensor before ends, got ", entry.begin);
    offset = entry.end;
  }
  if (offset != data_bytes)
    fail("[safetensors] ", path.string(), ": expected ", offset, " bytes of data behind the header, got ",
         data_bytes, "; the file is truncated or not a safetensors file");
  return entries;
}

/// The bytes of a file that is in memory, as RegularFile gives those of one that is not.
class Memory {
 public:
  explicit Memory(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const { return bytes_.size(); }
  void read(std::uint64_t offset, std::uint64_t bytes, void* to) const {
    if (bytes > 0) std::memcpy(to, bytes_.data() + offset, bytes);
  }

 private:
  std::string_view bytes_;
};

/// The header, and where the data begin.
template <class Source>
std::pair<Json, std::uint64_t> read_header(const Source& source, const std::filesystem::path& path) {
  if (source.size() < kLengthBytes)
    fail("[safetensors] ", path.string(), ": expected at least 8 bytes, got ", source.size());
  std::array<unsigned char, kLengthBytes> length_bytes = {};
  source.read(0, kLengthBytes, length_bytes.data());
  const std::uint64_t header_bytes = length_of(length_bytes);
  const std::uint64_t limit = std::min(kMaxHeaderBytes, source.size() - kLengthBytes);
  if (header_bytes > limit)
    fail("[safetensors] ", path.string(), ": expected a header of at most ", limit, " bytes, got ",
         header_bytes, "; the file is truncated or not a safetensors file");
  std::string text(header_bytes, '\0');
  source.read(kLengthBytes, header_bytes, text.data());
  return {parse_header(text, path), kLengthBytes + header_bytes};
}

template <class Source>
SafetensorsFile file_of(const Source& source, const std::filesystem::path& path) {
  const auto [header, data_begin] = read_header(source, path);
  SafetensorsFile file;
  if (header.contains(kMetadata)) file.metadata = metadata_of(header[kMetadata], path);
  for (Entry& entry : entries_of(header, source.size() - data_begin, path)) {
    std::vector<std::uint8_t>& bytes = entry.tensor.bytes;
    bytes.resize(entry.end - entry.begin);
    source.read(data_begin + entry.begin, bytes.size(), bytes.data());
    file.tensors.emplace(entry.name, std::move(entry.tensor));
  }
  return file;
}

}  // namespace

std::string safetensors_bytes(const SafetensorsFile& file, const std::filesystem::path& path) {
  std::vector<std::string> order;
  std::size_t data_bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const Place at{path, name};
    if (name == kMetadata) at.fail("expected another name, this one is reserved for metadata");
    const std::uint64_t bytes = expected_bytes(tensor.dtype, tensor.shape, at);
    if (bytes != tensor.bytes.size())
      at.fail("expected ", bytes, " bytes for ", tensor.dtype, ' ', to_text(tensor.shape), ", got ",
              tensor.bytes.size());
    order.push_back(name);
    data_bytes += tensor.bytes.size();
  }
  std::stable_sort(order.begin(), order.end(), [&](const std::string& a, const std::string& b) {
    return dtype_index(file.tensors.at(a).dtype) < dtype_index(file.tensors.at(b).dtype);
  });
  std::string header;
  try {
    header = header_text(file, order);
  } catch (const Json::exception& error) {
    fail("[safetensors] ", path.string(), ": expected names and metadata in UTF-8, got ",
         shortened(error.what()));
  }
  std::string contents;
  contents.reserve(kLengthBytes + header.size() + data_bytes);
  append_length(contents, header.size());
  contents += header;
  for (const std::string& name : order) {
    const std::vector<std::uint8_t>& bytes = file.tensors.at(name).bytes;
    contents.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return contents;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  write_file_atomically(path, safetensors_bytes(file, path));
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  return file_of(RegularFile(path, "safetensors"), path);
}

SafetensorsFile parse_safetensors(std::string_view bytes, const std::filesystem::path& path) {
  return file_of(Memory(bytes), path);
}

}  // namespace samebits::io
