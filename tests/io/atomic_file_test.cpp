// io/atomic_file.h: the new file or the old one, never half of one.
#include "io/atomic_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

using testing::ElementsAre;

TEST(WriteFileAtomically, WritesAndReplacesWholeFiles) {
  const TestFolder folder;
  const std::string contents[] = {"first", "", std::string(3'000'000, 'x'), std::string("\0binary\n", 8)};
  for (const std::string& text : contents) {
    write_file_atomically(folder / "a.txt", text);
    EXPECT_EQ(read_all(folder / "a.txt"), text);
    EXPECT_THAT(names_in(folder.path()), ElementsAre("a.txt"));
  }
}

TEST(WriteFileAtomically, TakesTheLongestNameThatAFileMayHave) {
  const TestFolder folder;
  const std::string name(255, 'n');
  write_file_atomically(folder.path() / name, "text");
  EXPECT_THAT(names_in(folder.path()), ElementsAre(name));
}

TEST(WriteFileAtomically, GivesTheFileTheModeThatTheProcessAsksFor) {
  const TestFolder folder;
  const mode_t earlier = ::umask(027);
  write_file_atomically(folder / "a.txt", "text");
  ::umask(earlier);
  const auto mode = std::filesystem::status(folder / "a.txt").permissions();
  EXPECT_EQ(static_cast<unsigned>(mode), 0640u);
}

TEST(WriteFileAtomically, LeavesTheEarlierFileWhenTheDiskIsFull) {
  const TestFolder folder;
  write_file_atomically(folder / "a.txt", "earlier");
  std::string error;
  {
    const FileSizeLimit full_disk(4096);
    error = error_of([&] { write_file_atomically(folder / "a.txt", std::string(100'000, 'x')); });
  }
  EXPECT_EQ(error, "[write] " + (folder / "a.txt").string() + ": File too large");
  EXPECT_EQ(read_all(folder / "a.txt"), "earlier");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("a.txt"));
}

TEST(WriteFileAtomically, NamesThePathAndTheCause) {
  const TestFolder folder;
  write_all(folder / "file", "");
  std::filesystem::create_directories(folder / "folder" / "full");
  const struct {
    const char* why;
    std::filesystem::path path;
    const char* cause;
  } cases[] = {
      {"the folder is missing", folder / "none" / "a.txt", "No such file or directory"},
      {"the folder is a file", folder / "file" / "a.txt", "Not a directory"},
      {"a folder stands at the path", folder / "folder", "Is a directory"},
      {"nobody may create a file there, not even root", "/proc/a.txt", "No such file or directory"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const std::string error = error_of([&] { write_file_atomically(c.path, "text"); });
    EXPECT_EQ(error, "[write] " + c.path.string() + ": " + c.cause);
    EXPECT_THROW(write_file_atomically(c.path, "text"), WriteError);
  }
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file", "folder"));
}

}  // namespace
}  // namespace samebits::io
