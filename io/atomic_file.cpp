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

/// What stands at a path, links followed. False: nothing.
bool find(const std::filesystem::path& path, struct stat& status) {
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) fail_write(path, errno);
  return false;
}

/// The standard output or error of this process, if that is what stands there; else -1.
int standard_at(const struct stat& status) {
  for (const int standard : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat own = {};
    if (::fstat(standard, &own) == 0 && own.st_dev == status.st_dev && own.st_ino == status.st_ino)
      return standard;
  }
  return -1;
}

/// Into what is no file that could be replaced. Nothing is synced: pipes and terminals cannot.
void write_in_place(const std::filesystem::path& path, const struct stat& status, std::string_view contents) {
  const int standard = standard_at(status);
  if (standard < 0 && (S_ISBLK(status.st_mode) || S_ISSOCK(status.st_mode)))
    throw WriteError(join("[write] ", path.string(), ": expected a file, a pipe or a terminal, got a ",
                          S_ISBLK(status.st_mode) ? "block device" : "socket", "; choose another name"));
  // A duplicate goes on where the other has written to.
  Descriptor descriptor(standard < 0 ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)
                                     : ::fcntl(standard, F_DUPFD_CLOEXEC, 0),
                        path);
  if (!write_all(descriptor.get(), contents) || !descriptor.close()) fail_write(path, errno);
}

}  // namespace

std::filesystem::path link_target(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;  // as the kernel's
  std::filesystem::path target = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code error;
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) return target;  // no link
    target = target.parent_path() / next;
  }
  fail_write(path, ELOOP);
}

bool give_mode(int fd, const struct stat& earlier) {
  constexpr mode_t kPermissions = 07777;
  // The owner first: giving a file away drops some of its bits. Who may not is the new owner.
  if (::fchown(fd, earlier.st_uid, earlier.st_gid) != 0 && errno != EPERM && errno != EINVAL) return false;
  return ::fchmod(fd, earlier.st_mode & kPermissions) == 0;
}

void write_new_file(const std::filesystem::path& file, std::string_view contents,
                    const std::filesystem::path& path, const struct stat* earlier) {
  const mode_t mode = earlier == nullptr ? 0666 : 0600;
  Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), path);
  if ((earlier == nullptr || give_mode(descriptor.get(), *earlier)) &&
      write_all(descriptor.get(), contents) && ::fsync(descriptor.get()) == 0 && descriptor.close())
    return;
  const int cause = errno;
  ::unlink(file.c_str());
  fail_write(path, cause);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view contents) {
  struct stat status = {};
  const bool exists = find(path, status);
  const bool is_file = !exists || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
  if (!is_file || (exists && standard_at(status) >= 0)) return write_in_place(path, status, contents);
  const std::filesystem::path target = link_target(path);
  const Descriptor folder = open_folder_of(target);
  const std::filesystem::path temporary = temporary_beside(target);
  write_new_file(temporary, contents, path, exists && S_ISREG(status.st_mode) ? &status : nullptr);
  if (std::rename(temporary.c_str(), target.c_str()) != 0) {
    const int cause = errno;
    ::unlink(temporary.c_str());
    fail_write(path, cause);
  }
  if (::fsync(folder.get()) != 0) fail_write(path, errno);
}

}  // namespace samebits::io
