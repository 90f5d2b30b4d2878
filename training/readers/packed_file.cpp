#include "training/readers/packed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "training/readers/data_error.h"

namespace samebits::training {
namespace {

constexpr char kCopyAgain[] = "copy or install the file again";
constexpr char kReadable[] = "name a file of which you may read every byte";
constexpr std::uint8_t kMagic[] = {0x1f, 0x8b};  // of gzip

bool starts_with_magic(const z_stream& stream) {
  return stream.avail_in >= 2 && stream.next_in[0] == kMagic[0] && stream.next_in[1] == kMagic[1];
}

}  // namespace

PackedFile::PackedFile(const std::filesystem::path& path, const std::string& kind, const std::string& way_out)
    : path_(path) {
  // Without waiting: a pipe that nobody writes to would never open.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0)
    fail_data(path.string(), kind, errno == ENOENT ? "no such file" : std::strerror(errno), way_out);
  struct stat status {};
  const bool is_regular = fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  const bool can_inflate =
      inflateInit2(&stream_, MAX_WBITS + 16) == Z_OK;  // + 16: with gzip's header and trailer
  if (is_regular && can_inflate) {
    stream_.next_in = buffer_.data();
    refill();
    is_gzip_ = starts_with_magic(stream_);
    return;
  }
  ::close(descriptor_);
  if (!can_inflate) throw std::bad_alloc();
  inflateEnd(&stream_);
  fail_data(path.string(), "a readable file",
            S_ISDIR(status.st_mode) ? std::strerror(EISDIR) : "a pipe or a device", kReadable);
}

PackedFile::~PackedFile() {
  inflateEnd(&stream_);
  ::close(descriptor_);
}

/// More input behind what is left; false at the end of the file.
bool PackedFile::refill() {
  std::memmove(buffer_.data(), stream_.next_in, stream_.avail_in);
  stream_.next_in = buffer_.data();
  ssize_t got = 0;
  do {
    got = ::read(descriptor_, buffer_.data() + stream_.avail_in, buffer_.size() - stream_.avail_in);
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail_data(path_.string(), "a readable file", std::strerror(errno), kReadable);
  stream_.avail_in += static_cast<uInt>(got);
  return got > 0;
}

std::size_t PackedFile::read(std::span<std::uint8_t> bytes) {
  if (is_gzip_) return inflate_into(bytes);
  std::size_t done = 0;
  while (done < bytes.size() && (stream_.avail_in > 0 || refill())) {
    const std::size_t count = std::min<std::size_t>(bytes.size() - done, stream_.avail_in);
    std::memcpy(bytes.data() + done, stream_.next_in, count);
    stream_.next_in += count;
    stream_.avail_in -= static_cast<uInt>(count);
    done += count;
  }
  return done;
}

std::size_t PackedFile::inflate_into(std::span<std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (stream_.avail_in == 0 && !refill()) break;
    if (has_ended_) start_next_member();
    const std::size_t room = std::min<std::size_t>(bytes.size() - done, 1u << 30);
    stream_.next_out = bytes.data() + done;
    stream_.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    done += room - stream_.avail_out;
    has_ended_ = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      fail_data(path_.string(), "an intact gzip stream",
                "\"" + std::string(stream_.msg ? stream_.msg : "no data") + "\"", kCopyAgain);
  }
  return done;
}

/// A gzip file may hold several streams, one behind another, and nothing else.
void PackedFile::start_next_member() {
  if (stream_.avail_in < 2) refill();
  if (!starts_with_magic(stream_))
    fail_data(path_.string(), "nothing behind the gzip stream", "more bytes", kCopyAgain);
  inflateReset(&stream_);
  has_ended_ = false;
}

std::string read_packed(const std::filesystem::path& path, const std::string& kind) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 34;
  PackedFile file(path, kind, "check the path");
  std::string bytes;
  for (std::size_t begin = 0, room = 1u << 16;; begin = bytes.size(), room = bytes.size()) {
    if (begin > kMaxBytes) fail_data(path.string(), "at most 16 GiB", "more", "split the file");
    bytes.resize(begin + room);
    const std::size_t got = file.read({reinterpret_cast<std::uint8_t*>(bytes.data()) + begin, room});
    if (got == room) continue;
    bytes.resize(begin + got);
    break;
  }
  if (!file.is_whole()) fail_data(path.string(), "a whole gzip stream", "one without its end", kCopyAgain);
  return bytes;
}

}  // namespace samebits::training
