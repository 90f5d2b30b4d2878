// io/regular_file.h: what is no regular file is refused at once.
#include "io/regular_file.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

TEST(RegularFile, ReadsAllOrAPart) {
  const TestFolder folder;
  write_all(folder / "a", std::string("0123\0"
                                      "567",
                                      8));
  const RegularFile file(folder / "a", "test");
  EXPECT_EQ(file.size(), 8u);
  EXPECT_EQ(file.read_all(8), std::string("0123\0"
                                          "567",
                                          8));
  char part[3] = {};
  file.read(1, 2, part);
  EXPECT_STREQ(part, "12");
  std::filesystem::create_symlink("a", folder / "link");
  EXPECT_EQ(RegularFile(folder / "link", "test").size(), 8u);
}

TEST(RegularFile, RefusesWhatIsNone) {
  const TestFolder folder;
  const auto error = [&](const std::filesystem::path& path) {
    return error_of([&] { RegularFile(path, "test"); });
  };
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, (folder / "socket").c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(error(folder / "pipe"),
            "[test] " + (folder / "pipe").string() + ": expected a regular file, got a pipe");
  EXPECT_EQ(error("/dev/zero"), "[test] /dev/zero: expected a regular file, got a device");
  EXPECT_EQ(error(folder / "socket"),
            "[test] " + (folder / "socket").string() + ": expected a regular file, got a socket or a device");
  EXPECT_EQ(error(folder.path()), "[test] " + folder.path().string() + ": Is a directory");
  EXPECT_EQ(error(folder / "none"), "[test] " + (folder / "none").string() + ": No such file or directory");
  EXPECT_EQ(RegularFile("/proc/self/mem", "test").read_all(100), "");  // says that it is empty
  ::close(socket);
}

TEST(RegularFile, RefusesMoreThanWasAllowedAndAFileThatShrinks) {
  const TestFolder folder;
  write_all(folder / "a", "0123456789");
  const RegularFile file(folder / "a", "test");
  const std::string place = "[test] " + (folder / "a").string();
  EXPECT_EQ(error_of([&] { file.read_all(9); }), place + ": expected at most 9 bytes, got 10");
  write_all(folder / "a", "01");
  EXPECT_EQ(error_of([&] { file.read_all(10); }), place + ": the file ended while it was read");
}

}  // namespace
}  // namespace samebits::io
