#include "runtime/tools/npy_array.h"

#include <bit>
#include <cstring>

#include "io/atomic_file.h"
#include "io/error.h"
#include "io/npy.h"
#include "io/regular_file.h"

namespace samebits::runtime {
namespace {

static_assert(std::endian::native == std::endian::little, "npy files of this kind are little-endian");

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 40;

struct NpyType {
  graph::Dtype dtype;
  const char* descr;
  const char* numpy_name;
};
constexpr NpyType kTypes[] = {{graph::Dtype::kFloat32, "<f4", "numpy.float32"},
                              {graph::Dtype::kInt64, "<i8", "numpy.int64"},
                              {graph::Dtype::kBool, "|b1", "numpy.bool_"}};

const NpyType& type_of(graph::Dtype dtype) {
  return kTypes[static_cast<std::size_t>(dtype)];
}

}  // namespace

Array read_npy(const std::filesystem::path& path, const graph::Input& input) {
  const std::string where = "[npy] " + path.string();
  const io::NpyArray file = io::parse_npy(io::RegularFile(path, "npy").read_all(kMaxBytes), where);
  const NpyType& type = type_of(input.type.dtype);
  if (file.descr != type.descr)
    io::fail(where, ": expected ", type.descr, " for input ", input.name, ", got ", file.descr,
             "; convert it with x.astype(", type.numpy_name, ")");
  Array array{.shape = file.shape, .dtype = input.type.dtype};
  array.resize(file.bytes.size() / static_cast<std::size_t>(graph::element_bytes(array.dtype)));
  if (!file.bytes.empty()) std::memcpy(array.data(), file.bytes.data(), file.bytes.size());
  return array;
}

void write_npy(const std::filesystem::path& path, const Array& array) {
  io::NpyArray file{.descr = type_of(array.dtype).descr, .shape = array.shape, .bytes = {}};
  file.bytes.resize(array.count() * static_cast<std::size_t>(graph::element_bytes(array.dtype)));
  if (!file.bytes.empty()) std::memcpy(file.bytes.data(), array.data(), file.bytes.size());
  io::write_file_atomically(path, io::npy_bytes(file, "[npy] " + path.string()));
}

}  // namespace samebits::runtime
