// File descriptors and temporary names. POSIX calls rather than streams: those neither sync nor tell why a
// write failed.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <random>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/atomic_file.h"
#include "io/error.h"

namespace samebits::io {

/// Throws WriteError "[write] PATH: cause" for the errno value `error`.
[[noreturn]] inline void fail_write(const std::filesystem::path& path, int error) {
  throw WriteError(join("[write] ", path.string(), ": ", std::generic_category().message(error)));
}

/// An open file or folder, closed on every way out.
class Descriptor {
 public:
  /// `fd` is what open() returned; below 0 it throws for `path` and errno.
  Descriptor(int fd, const std::filesystem::path& path) : fd_(fd) {
    if (fd_ < 0) fail_write(path, errno);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  /// False, with errno set, on an error: some file systems report a full disk only here.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

/// The folder that `path` stands in, opened so that a rename in it can be synced.
inline Descriptor open_folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  return {::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path};
}

/// A name beside `path` that no other process chooses: 64 random bits, so that what a killed process left
/// behind is in nobody's way. Short, because `path` may have the longest name that is allowed.
inline std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  std::random_device random;
  std::ostringstream name;
  name << ".samebits-" << std::hex << random() << '-' << random();
  return path.parent_path() / name.str();
}

/// Writes and syncs `contents` to `file`, which must not exist yet. On an error `file` is removed again and
/// the message names `path`. `earlier`: of the file that it will replace, whose mode it gets before anything
/// is in it.
void write_new_file(const std::filesystem::path& file, std::string_view contents,
                    const std::filesystem::path& path, const struct stat* earlier = nullptr);

/// Where a link leads in the end, to an existing file or not; `path` itself when it is none.
std::filesystem::path link_target(const std::filesystem::path& path);

/// Mode and, if this process may, owner of `earlier`. False, with errno set, when the mode cannot be given.
bool give_mode(int fd, const struct stat& earlier);

}  // namespace samebits::io
