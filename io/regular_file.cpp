#include "io/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "io/error.h"

namespace samebits::io {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

// Not to wait for the other end of a pipe.
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

}  // namespace

RegularFile::RegularFile(const std::filesystem::path& path, const char* scope)
    : path_(path), scope_(scope), fd_(::open(path.c_str(), kFlags)) {
  open_status();
}

RegularFile::RegularFile(int folder, const char* name, const std::filesystem::path& path, const char* scope)
    : path_(path), scope_(scope), fd_(::openat(folder, name, kFlags)) {
  open_status();
}

void RegularFile::open_status() {
  const auto cause = [](int error) { return std::generic_category().message(error); };
  struct stat status = {};
  if (fd_ < 0 || ::fstat(fd_, &status) != 0) {
    const int error = errno;
    if (fd_ >= 0) ::close(fd_);
    // A socket cannot be opened at all.
    fail('[', scope_, "] ", path_.string(), ": ",
         error == ENXIO ? "expected a regular file, got a socket or a device" : cause(error));
  }
  if (S_ISREG(status.st_mode)) {
    size_ = static_cast<std::uint64_t>(status.st_size);
    return;
  }
  ::close(fd_);
  if (S_ISDIR(status.st_mode)) fail('[', scope_, "] ", path_.string(), ": ", cause(EISDIR));
  fail('[', scope_, "] ", path_.string(), ": expected a regular file, got ", kind_of(status.st_mode));
}

RegularFile::~RegularFile() {
  ::close(fd_);
}

void RegularFile::read(std::uint64_t offset, std::uint64_t bytes, void* to) const {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::pread(fd_, at, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail('[', scope_, "] ", path_.string(), ": ", std::generic_category().message(errno));
    if (got == 0) fail('[', scope_, "] ", path_.string(), ": the file ended while it was read");
    at += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::uint64_t>(got);
  }
}

std::string RegularFile::read_all(std::uint64_t max_bytes) const {
  if (size_ > max_bytes)
    fail('[', scope_, "] ", path_.string(), ": expected at most ", max_bytes, " bytes, got ", size_);
  std::string text(size_, '\0');
  read(0, size_, text.data());
  return text;
}

}  // namespace samebits::io
