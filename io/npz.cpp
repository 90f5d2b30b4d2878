// A reader trusts the central directory alone, and that no further than the file reaches: members must not
// overlap, so that no more memory is taken than the file has bytes.
#include "io/npz.h"

#include <algorithm>
#include <array>
#include <limits>

#include "io/atomic_file.h"
#include "io/error.h"
#include "io/npy.h"
#include "io/regular_file.h"

namespace samebits::io {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50,
                        kEndSignature = 0x06054b50;
constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22;
constexpr std::uint64_t kMaxBytes = 0xFFFFFFFE, kMaxMembers = 0xFFFE;
constexpr std::uint16_t kVersion = 20, kUtf8 = 1 << 11, kStored = 0, kFirstOf1980 = 1 << 5 | 1;
constexpr std::string_view kSuffix = ".npy";

/// The CRC-32 of ZIP and gzip.
std::uint32_t crc32(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      table[i] = i;
      for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
    return table;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

void append(std::string& to, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> (8 * i)));
}

/// Of one member.
struct Member {
  std::string name;  // in the archive
  std::uint64_t offset = 0, size = 0;
  std::uint32_t crc = 0;
  std::uint16_t flags = 0, method = kStored;
};

/// What local header and central directory say alike.
void append_common(std::string& to, const Member& member) {
  append(to, kVersion, 2);
  append(to, kUtf8, 2);
  append(to, kStored, 2);
  append(to, 0, 2);  // midnight
  append(to, kFirstOf1980, 2);
  append(to, member.crc, 4);
  append(to, member.size, 4);
  append(to, member.size, 4);
  append(to, member.name.size(), 2);
  append(to, 0, 2);  // no extra field
}

void append_directory(std::string& contents, const std::vector<Member>& members) {
  const std::uint64_t begin = contents.size();
  for (const Member& member : members) {
    append(contents, kCentralSignature, 4);
    append(contents, kVersion, 2);
    append_common(contents, member);
    contents.append(10, '\0');  // no comment, one disk, no attributes
    append(contents, member.offset, 4);
    contents += member.name;
  }
  const std::uint64_t end = contents.size();
  append(contents, kEndSignature, 4);
  append(contents, 0, 4);
  append(contents, members.size(), 2);
  append(contents, members.size(), 2);
  append(contents, end - begin, 4);
  append(contents, begin, 4);
  append(contents, 0, 2);
}

class Reader {
 public:
  Reader(std::string_view bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  NpzFile read() {
    NpzFile file;
    std::uint64_t sum = 0;
    for (const Member& member : members()) {
      const std::string where = join("[npz] ", path_.string(), ": ", shortened(member.name));
      const std::string_view data = data_of(member, where);
      sum += data.size();
      if (sum > bytes_.size()) fail(where, ": expected members that do not overlap, got one that does");
      if (!member.name.ends_with(kSuffix)) fail(where, ": expected members NAME.npy, got another");
      const std::string name = member.name.substr(0, member.name.size() - kSuffix.size());
      if (!file.emplace(name, parse_npy(data, where)).second)
        fail(where, ": expected a name once, got it twice");
    }
    return file;
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_file(const Parts&... parts) const {
    fail("[npz] ", path_.string(), ": ", parts...);
  }

  std::uint64_t number(std::uint64_t offset, std::size_t bytes) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      value |= std::uint64_t{static_cast<unsigned char>(bytes_[offset + i])} << (8 * i);
    return value;
  }
  bool has(std::uint64_t offset, std::uint64_t bytes) const {
    return offset <= bytes_.size() && bytes <= bytes_.size() - offset;
  }

  /// Where the record stands that ends the file: before a comment, which is looked for as far as it
  /// reaches.
  std::uint64_t end_record() const {
    const std::size_t farthest = kEndBytes + 0xFFFF;
    const std::size_t first = bytes_.size() > farthest ? bytes_.size() - farthest : 0;
    for (std::size_t at = bytes_.size() < kEndBytes ? 0 : bytes_.size() - kEndBytes + 1; at-- > first;)
      if (number(at, 4) == kEndSignature && at + kEndBytes + number(at + 20, 2) == bytes_.size()) return at;
    fail_file("expected a ZIP archive, got none; the file is truncated or not an npz file");
  }

  std::vector<Member> members() const {
    const std::uint64_t end = end_record(), count = number(end + 10, 2);
    std::uint64_t at = number(end + 16, 4);
    if (count > kMaxMembers || at > kMaxBytes)
      fail_file("expected at most ", kMaxMembers, " arrays in 4 GiB, got more");
    std::vector<Member> members;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!has(at, kCentralBytes) || number(at, 4) != kCentralSignature)
        fail_file("expected ", count, " entries in its directory, got ", i);
      const std::uint64_t name_bytes = number(at + 28, 2);
      if (!has(at + kCentralBytes, name_bytes)) fail_file("expected a whole directory, got its beginning");
      members.push_back({.name = std::string(bytes_.substr(at + kCentralBytes, name_bytes)),
                         .offset = number(at + 42, 4),
                         .size = number(at + 24, 4),
                         .crc = static_cast<std::uint32_t>(number(at + 16, 4)),
                         .flags = static_cast<std::uint16_t>(number(at + 8, 2)),
                         .method = static_cast<std::uint16_t>(number(at + 10, 2))});
      if (number(at + 20, 4) != members.back().size && members.back().method == kStored)
        fail_file("expected members of one size each, got ", shortened(members.back().name), " of two");
      at += kCentralBytes + name_bytes + number(at + 30, 2) + number(at + 32, 2);
    }
    return members;
  }

  std::string_view data_of(const Member& member, const std::string& where) const {
    if (member.method != kStored || (member.flags & 1) != 0)
      fail(where, ": expected a stored member, got a compressed one; write it by numpy.savez");
    if (!has(member.offset, kLocalBytes) || number(member.offset, 4) != kLocalSignature)
      fail(where, ": expected its header at byte ", member.offset, ", got none");
    const std::uint64_t begin =
        member.offset + kLocalBytes + number(member.offset + 26, 2) + number(member.offset + 28, 2);
    if (!has(begin, member.size)) fail(where, ": expected ", member.size, " bytes, got the end of the file");
    const std::string_view data = bytes_.substr(begin, member.size);
    if (crc32(data) != member.crc)
      fail(where, ": expected bytes with the CRC-32 of its directory, got others");
    return data;
  }

  std::string_view bytes_;
  const std::filesystem::path& path_;
};

}  // namespace

std::string npz_bytes(const NpzFile& file, const std::filesystem::path& path) {
  std::string contents;
  std::vector<Member> members;
  if (file.size() > kMaxMembers)
    fail("[npz] ", path.string(), ": expected at most ", kMaxMembers, " arrays, got ", file.size());
  for (const auto& [name, array] : file) {
    const std::string where = join("[npz] ", path.string(), ": ", shortened(name));
    if (name.size() + kSuffix.size() > 0xFFFF)
      fail(where, ": expected a name below 64 KiB, got a longer one");
    const std::string bytes = npy_bytes(array, where);
    members.push_back({name + std::string(kSuffix), contents.size(), bytes.size(), crc32(bytes)});
    append(contents, kLocalSignature, 4);
    append_common(contents, members.back());
    contents += members.back().name;
    contents += bytes;
  }
  append_directory(contents, members);
  if (contents.size() > kMaxBytes)
    fail("[npz] ", path.string(), ": expected a file below 4 GiB, got ", contents.size(),
         " bytes; save a package instead");
  return contents;
}

void write_npz(const std::filesystem::path& path, const NpzFile& file) {
  write_file_atomically(path, npz_bytes(file, path));
}

NpzFile read_npz(const std::filesystem::path& path) {
  return parse_npz(RegularFile(path, "npz").read_all(std::numeric_limits<std::uint64_t>::max()), path);
}

NpzFile parse_npz(std::string_view bytes, const std::filesystem::path& path) {
  return Reader(bytes, path).read();
}

}  // namespace samebits::io
