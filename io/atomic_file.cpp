// Temporary file, fsync, rename, fsync of the folder: the order that leaves the old or the new file after a
// crash.
#include "io/atomic_file.h"

#include <cstdio>

#include "io/posix.h"

namespace samebits::io {
namespace {

bool write_all(int fd, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = ::write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

void write_new_file(const std::filesystem::path& file, std::string_view contents,
                    const std::filesystem::path& path) {
  Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), path);
  if (write_all(descriptor.get(), contents) && ::fsync(descriptor.get()) == 0 && descriptor.close()) return;
  const int cause = errno;
  ::unlink(file.c_str());
  fail_write(path, cause);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view contents) {
  const Descriptor folder = open_folder_of(path);
  const std::filesystem::path temporary = temporary_beside(path);
  write_new_file(temporary, contents, path);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int cause = errno;
    ::unlink(temporary.c_str());
    fail_write(path, cause);
  }
  if (::fsync(folder.get()) != 0) fail_write(path, errno);
}

}  // namespace samebits::io
