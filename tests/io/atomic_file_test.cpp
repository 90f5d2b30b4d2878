// io/atomic_file.h: the new file or the old one, never half of one.
#include "io/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

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

TEST(WriteFileAtomically, ReplacesTheFileThatALinkLeadsTo) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "there");
  write_all(folder / "there" / "old", "earlier");
  std::filesystem::create_symlink("there/old", folder / "second");
  std::filesystem::create_symlink("second", folder / "first");
  std::filesystem::create_symlink("there/new", folder / "dangling");
  write_file_atomically(folder / "first", "text");
  write_file_atomically(folder / "dangling", "new text");
  EXPECT_EQ(std::filesystem::read_symlink(folder / "first"), "second");
  EXPECT_EQ(std::filesystem::read_symlink(folder / "second"), "there/old");
  EXPECT_EQ(std::filesystem::read_symlink(folder / "dangling"), "there/new");
  EXPECT_EQ(read_all(folder / "there" / "old"), "text");
  EXPECT_EQ(read_all(folder / "there" / "new"), "new text");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("dangling", "first", "second", "there"));
  EXPECT_THAT(names_in(folder / "there"), ElementsAre("new", "old"));
}

TEST(WriteFileAtomically, KeepsTheModeOfAnEarlierFile) {
  const TestFolder folder;
  write_all(folder / "private", "earlier");
  for (const mode_t mode : {0600u, 0644u, 0444u, 0755u}) {
    ASSERT_EQ(::chmod((folder / "private").c_str(), mode), 0);
    write_file_atomically(folder / "private", "text");
    EXPECT_EQ(static_cast<mode_t>(std::filesystem::status(folder / "private").permissions()), mode);
  }
}

TEST(WriteFileAtomically, WritesIntoPipesAndDevicesAndLeavesThemWhatTheyAre) {
  const TestFolder folder;
  const std::filesystem::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] { got = read_all(pipe); });
  write_file_atomically(pipe, "text");
  reader.join();
  EXPECT_EQ(got, "text");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));

  std::filesystem::create_symlink("/dev/null", folder / "null");
  write_file_atomically(folder / "null", "text");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_EQ(error_of([&] { write_file_atomically("/dev/full", "text"); }),
            "[write] /dev/full: No space left on device");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("null", "pipe"));
}

TEST(WriteFileAtomically, RefusesASocket) {
  const TestFolder folder;
  const std::filesystem::path path = folder / "socket";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(error_of([&] { write_file_atomically(path, "text"); }),
            "[write] " + path.string() +
                ": expected a file, a pipe or a terminal, got a socket; choose another name");
  EXPECT_TRUE(std::filesystem::is_socket(path));
  ::close(fd);
}

/// Points the standard output of this process to a file while it lives.
class OutputTo {
 public:
  explicit OutputTo(const std::filesystem::path& path) : earlier_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ::dup2(fd, STDOUT_FILENO);
    ::close(fd);
  }
  ~OutputTo() {
    ::dup2(earlier_, STDOUT_FILENO);
    ::close(earlier_);
  }
  OutputTo(const OutputTo&) = delete;
  OutputTo& operator=(const OutputTo&) = delete;

 private:
  int earlier_;
};

TEST(WriteFileAtomically, GoesOnWhereTheStandardOutputIs) {
  const TestFolder folder;
  for (const std::filesystem::path& path : {std::filesystem::path("/dev/stdout"), folder / "out"}) {
    {
      const OutputTo output(folder / "out");
      EXPECT_EQ(::write(STDOUT_FILENO, "before ", 7), 7);
      write_file_atomically(path, "text");
      EXPECT_EQ(::write(STDOUT_FILENO, " behind", 7), 7);
    }
    EXPECT_EQ(read_all(folder / "out"), "before text behind");
  }
}

TEST(WriteFileAtomically, NamesThePathAndTheCause) {
  const TestFolder folder;
  write_all(folder / "file", "");
  std::filesystem::create_directories(folder / "folder" / "full");
  std::filesystem::create_symlink("loop", folder / "loop");
  const struct {
    const char* why;
    std::filesystem::path path;
    const char* cause;
  } cases[] = {
      {"the folder is missing", folder / "none" / "a.txt", "No such file or directory"},
      {"a link leads to itself", folder / "loop", "Too many levels of symbolic links"},
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
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file", "folder", "loop"));
}

}  // namespace
}  // namespace samebits::io
