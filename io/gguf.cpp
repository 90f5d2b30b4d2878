#include "io/gguf.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "io/atomic_file.h"
#include "io/error.h"
#include "io/regular_file.h"

namespace samebits::io {
namespace {

constexpr std::uint32_t kMagic = 0x46554747, kVersion = 3;  // "GGUF"
constexpr std::uint64_t kAlignment = 32, kMaxRank = 4;
constexpr const char* kAlignmentKey = "general.alignment";

struct TypeFacts {
  GgufType type;
  const char* name;
  std::uint64_t elements, bytes;  // of a block
};
constexpr std::array<TypeFacts, 5> kTypes = {{{GgufType::kF32, "F32", 1, 4},
                                              {GgufType::kF16, "F16", 1, 2},
                                              {GgufType::kQ4_0, "Q4_0", 32, 18},
                                              {GgufType::kQ4_1, "Q4_1", 32, 20},
                                              {GgufType::kQ8_0, "Q8_0", 32, 34}}};

/// Null: another type.
const TypeFacts* facts_of(std::uint32_t type) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeFacts& f) {
    return static_cast<std::uint32_t>(f.type) == type;
  });
  return found == kTypes.end() ? nullptr : found;
}

// Types of metadata.
enum class Value : std::uint32_t { kUint32 = 4, kText = 8, kArray = 9 };
/// Bytes of a value of fixed size, by its type; 0: it has none.
constexpr std::array<std::uint64_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

/// Bytes that type and shape ask for. `where` begins messages.
std::uint64_t expected_bytes(const GgufTensor& tensor, const std::string& where) {
  const TypeFacts& facts = *facts_of(static_cast<std::uint32_t>(tensor.type));
  if (tensor.shape.empty() || tensor.shape.size() > kMaxRank)
    fail(where, ": expected 1 to 4 sizes, got ", to_text(tensor.shape));
  if (tensor.shape.back() % static_cast<std::int64_t>(facts.elements) != 0)
    fail(where, ": expected rows of whole blocks of ", facts.elements, ", got ", to_text(tensor.shape));
  std::uint64_t count = 1;
  for (const std::int64_t size : tensor.shape)
    if (size < 1 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &count) ||
        count > 1ull << 56)
      fail(where, ": expected sizes >= 1 of at most 2^56 elements, got ", to_text(tensor.shape));
  return count / facts.elements * facts.bytes;
}

class Writer {
 public:
  void number(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) contents.push_back(static_cast<char>(value >> (8 * i)));
  }
  void text(const std::string& value) {
    number(value.size(), 8);
    contents += value;
  }
  void pad() { contents.resize(aligned(contents.size()), '\0'); }

  std::string contents;
};

class Reader {
 public:
  Reader(std::string_view bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  GgufFile read() {
    if (number(4) != kMagic) fail_file("expected a file that begins with GGUF, got another");
    if (const std::uint64_t version = number(4); version != kVersion)
      fail_file("expected version ", kVersion, ", got ", version);
    const std::uint64_t tensors = number(8), values = number(8);
    GgufFile file;
    for (std::uint64_t i = 0; i < values; ++i) read_value(file);
    read_tensors(tensors, file);
    return file;
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_file(const Parts&... parts) const {
    fail("[gguf] ", path_.string(), ": ", parts...);
  }
  std::string_view take(std::uint64_t bytes) {
    if (bytes > bytes_.size() - at_)
      fail_file("expected ", bytes, " bytes at ", at_, ", got ", bytes_.size() - at_,
                "; the file is truncated");
    const std::string_view taken = bytes_.substr(at_, bytes);
    at_ += bytes;
    return taken;
  }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; const char c : take(bytes))
      value |= std::uint64_t{static_cast<unsigned char>(c)} << (8 * i++);
    return value;
  }
  std::string text() { return std::string(take(number(8))); }

  void skip(std::uint64_t type, std::uint64_t count, int depth) {
    if (type < kValueBytes.size() && kValueBytes[type] > 0) {
      if (count > bytes_.size()) fail_file("expected values that fit the file, got ", count);
      take(count * kValueBytes[type]);
      return;
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      if (type == static_cast<std::uint64_t>(Value::kText)) {
        text();
      } else if (type == static_cast<std::uint64_t>(Value::kArray) && depth < 4) {
        const std::uint64_t of = number(4);
        skip(of, number(8), depth + 1);
      } else {
        fail_file("expected metadata of types 0 to 12, nested 4 deep at most, got type ", type);
      }
    }
  }

  void read_value(GgufFile& file) {
    const std::string key = text();
    if (!keys_.insert(key).second) fail_file("expected ", shortened(key), " once, got it twice");
    const std::uint64_t type = number(4);
    if (type == static_cast<std::uint64_t>(Value::kText)) {
      file.texts[key] = text();
    } else if (type == static_cast<std::uint64_t>(Value::kUint32)) {
      file.numbers[key] = static_cast<std::uint32_t>(number(4));
    } else {
      skip(type, 1, 0);
    }
    if (key == kAlignmentKey && file.numbers[key] != kAlignment)
      fail_file("expected ", key, " ", kAlignment, ", got ", file.numbers[key]);
  }

  struct Entry {
    std::string name;
    GgufTensor tensor;
    std::uint64_t offset = 0;
  };

  Entry read_entry() {
    Entry entry{.name = text()};
    const std::string where = join("[gguf] ", path_.string(), ": ", shortened(entry.name));
    const std::uint64_t rank = number(4);
    if (rank > kMaxRank) fail(where, ": expected 1 to 4 sizes, got ", rank);
    for (std::uint64_t i = 0; i < rank; ++i) {
      const std::uint64_t size = number(8);
      if (size > 1ull << 56) fail(where, ": expected sizes of at most 2^56, got ", size);
      // The file has the size of neighbours first.
      entry.tensor.shape.insert(entry.tensor.shape.begin(), static_cast<std::int64_t>(size));
    }
    const std::uint64_t type = number(4);
    if (facts_of(static_cast<std::uint32_t>(type)) == nullptr)
      fail(where, ": expected a tensor of F32, F16, Q4_0, Q4_1 or Q8_0, got type ", type);
    entry.tensor.type = static_cast<GgufType>(type);
    entry.offset = number(8);
    return entry;
  }

  void read_tensors(std::uint64_t count, GgufFile& file) {
    std::vector<Entry> entries;
    for (std::uint64_t i = 0; i < count; ++i) entries.push_back(read_entry());
    if (!entries.empty()) take(aligned(at_) - at_);
    const std::uint64_t begin = at_;
    for (Entry& entry : entries) {
      const std::string where = join("[gguf] ", path_.string(), ": ", shortened(entry.name));
      const std::uint64_t padding = aligned(at_ - begin) - (at_ - begin);
      if (entry.offset != at_ - begin + padding)
        fail(where, ": expected data at ", at_ - begin + padding, ", behind the tensor before, got ",
             entry.offset);
      take(padding);
      const std::string_view data = take(expected_bytes(entry.tensor, where));
      entry.tensor.bytes.assign(data.begin(), data.end());
      if (!file.tensors.emplace(entry.name, std::move(entry.tensor)).second)
        fail(where, ": expected a name once, got it twice");
    }
    if (bytes_.size() - at_ >= kAlignment)
      fail_file("expected the end of the file at ", at_, ", got ", bytes_.size() - at_, " bytes more");
  }

  std::string_view bytes_;
  const std::filesystem::path& path_;
  std::uint64_t at_ = 0;
  std::set<std::string> keys_;
};

}  // namespace

const char* to_text(GgufType type) {
  return facts_of(static_cast<std::uint32_t>(type))->name;
}

std::string gguf_bytes(const GgufFile& file, const std::filesystem::path& path) {
  Writer out;
  out.number(kMagic, 4);
  out.number(kVersion, 4);
  out.number(file.tensors.size(), 8);
  out.number(file.texts.size() + file.numbers.size(), 8);
  for (const auto& [key, value] : file.texts) {
    out.text(key);
    out.number(static_cast<std::uint32_t>(Value::kText), 4);
    out.text(value);
  }
  for (const auto& [key, value] : file.numbers) {
    out.text(key);
    out.number(static_cast<std::uint32_t>(Value::kUint32), 4);
    out.number(value, 4);
  }
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const std::string where = join("[gguf] ", path.string(), ": ", shortened(name));
    if (name.size() >= kGgufMaxName)
      fail(where, ": expected a name of fewer than ", kGgufMaxName, " bytes, got ", name.size());
    if (const std::uint64_t bytes = expected_bytes(tensor, where); bytes != tensor.bytes.size())
      fail(where, ": expected ", bytes, " bytes for ", to_text(tensor.type), ' ', to_text(tensor.shape),
           ", got ", tensor.bytes.size());
    out.text(name);
    out.number(tensor.shape.size(), 4);
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      out.number(static_cast<std::uint64_t>(*size), 8);
    out.number(static_cast<std::uint32_t>(tensor.type), 4);
    out.number(offset, 8);
    offset = aligned(offset + tensor.bytes.size());
  }
  for (const auto& [name, tensor] : file.tensors) {
    out.pad();
    out.contents.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  }
  out.pad();
  return std::move(out.contents);
}

void write_gguf(const std::filesystem::path& path, const GgufFile& file) {
  write_file_atomically(path, gguf_bytes(file, path));
}

GgufFile read_gguf(const std::filesystem::path& path) {
  return parse_gguf(RegularFile(path, "gguf").read_all(std::numeric_limits<std::uint64_t>::max()), path);
}

GgufFile parse_gguf(std::string_view bytes, const std::filesystem::path& path) {
  return Reader(bytes, path).read();
}

}  // namespace samebits::io
