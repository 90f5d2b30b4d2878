#include "io/temporary_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>

#include "io/posix.h"

namespace samebits::io {
namespace {

namespace fs = std::filesystem;

constexpr const char kPrefix[] = "samebits-";
constexpr std::time_t kYoungSeconds = 60;  // one that was just made may not be locked yet

/// Not through a link, which others may have put into a place that all may write to.
int open_folder(const fs::path& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool is_abandoned(const fs::path& path) {
  const int fd = open_folder(path);
  if (fd < 0) return false;
  struct stat status = {};
  const bool is_ours = ::fstat(fd, &status) == 0 && status.st_uid == ::geteuid() &&
                       std::time(nullptr) - status.st_mtime > kYoungSeconds;
  const bool is_free = is_ours && ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  ::close(fd);
  return is_free;
}

void remove_abandoned(const fs::path& place) {
  std::error_code ignored;  // what cannot be removed is in nobody's way
  for (const auto& entry : fs::directory_iterator(place, ignored))
    if (entry.path().filename().string().starts_with(kPrefix) && is_abandoned(entry.path()))
      fs::remove_all(entry.path(), ignored);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  const fs::path place = fs::temp_directory_path();
  remove_abandoned(place);
  std::string pattern = (place / kPrefix).string() + "XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) fail_write(pattern, errno);
  path_ = pattern;
  lock_ = open_folder(path_);
  if (lock_ >= 0) ::flock(lock_, LOCK_EX | LOCK_NB);  // a file system without locks does without
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace samebits::io
