// io/temporary_folder.h: a folder for a while, and the end of those whose process was killed.
#include "io/temporary_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "io/atomic_file.h"
#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

using testing::ElementsAre;
namespace fs = std::filesystem;

class TemporaryFolders : public testing::Test {
 protected:
  void SetUp() override { setenv("TMPDIR", place_.path().c_str(), 1); }
  void TearDown() override { unsetenv("TMPDIR"); }

  /// A folder as a process leaves it behind that was killed so long ago.
  fs::path leave(const char* name, std::chrono::seconds ago) {
    fs::create_directory(place_ / name);
    write_all(place_ / name / "x.safetensors", "text");
    fs::last_write_time(place_ / name, fs::file_time_type::clock::now() - ago);
    return place_ / name;
  }

  TestFolder place_;
};

TEST_F(TemporaryFolders, AreThisUsersAloneAndGoWithWhatIsInThem) {
  {
    const TemporaryFolder a, b;
    EXPECT_NE(a.path(), b.path());
    EXPECT_EQ(a.path().parent_path(), place_.path());
    EXPECT_EQ(static_cast<unsigned>(fs::status(a.path()).permissions()), 0700u);
    fs::create_directory(a.path() / "inner");
    write_all(a.path() / "inner" / "file", "text");
  }
  EXPECT_THAT(names_in(place_.path()), ElementsAre());
}

TEST_F(TemporaryFolders, OfKilledProcessesGoWhenTheNextIsMade) {
  leave("samebits-killed", std::chrono::hours(1));
  leave("samebits-young", std::chrono::seconds(1));
  leave("another-program", std::chrono::hours(1));
  const fs::path used = leave("samebits-used", std::chrono::hours(1));
  fs::create_directory_symlink("another-program", place_ / "samebits-link");
  const int lock = ::open(used.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  { const TemporaryFolder next; }
  EXPECT_THAT(names_in(place_.path()),
              ElementsAre("another-program", "samebits-link", "samebits-used", "samebits-young"));
  EXPECT_THAT(names_in(place_ / "another-program"), ElementsAre("x.safetensors"));
  ::close(lock);
  { const TemporaryFolder next; }
  EXPECT_THAT(names_in(place_.path()), ElementsAre("another-program", "samebits-link", "samebits-young"));
}

TEST_F(TemporaryFolders, AreHeldWhileTheyLive) {
  const TemporaryFolder held;
  fs::last_write_time(held.path(), fs::file_time_type::clock::now() - std::chrono::hours(1));
  { const TemporaryFolder next; }
  EXPECT_TRUE(fs::exists(held.path()));
}

TEST_F(TemporaryFolders, NeedAPlaceToBeIn) {
  setenv("TMPDIR", "/proc", 1);
  const std::string error = error_of([] { const TemporaryFolder folder; });
  EXPECT_TRUE(error.starts_with("[write] /proc/samebits-") && error.ends_with(": No such file or directory"))
      << error;
  setenv("TMPDIR", "/none", 1);
  EXPECT_THROW(TemporaryFolder(), fs::filesystem_error);
}

}  // namespace
}  // namespace samebits::io
