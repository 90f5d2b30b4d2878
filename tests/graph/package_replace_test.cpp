// graph/package.h: what stands at the path when a save fails half-way. The system calls that rename are
// replaced here by ones that can fail.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "graph/package.h"
#include "tests/graph/graphs.h"
#include "tests/io/test_files.h"

namespace {
int exchange_error = 0;           // errno of renameat2; 0: it works
std::string_view failing_target;  // rename to a path that ends so fails with EIO
}  // namespace

extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                         unsigned flags) noexcept {
  if (exchange_error == 0)
    return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
  errno = exchange_error;
  return -1;
}

extern "C" int rename(const char* from, const char* to) noexcept {
  struct stat status = {};
  const bool is_free = ::lstat(to, &status) != 0;
  if (!failing_target.empty() && is_free && std::string_view(to).ends_with(failing_target)) {
    failing_target = {};
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace samebits::graph {
namespace {

using testing::ElementsAre;

Graph graph_named(const char* name) {
  Graph graph = graph_of_everything();
  graph.name = std::string(name);
  return graph;
}

class ReplacePackage : public testing::Test {
 protected:
  void SetUp() override { save_package(graph_named("old"), path_); }
  void TearDown() override {
    exchange_error = 0;
    failing_target = {};
  }

  TestFolder folder_;
  std::filesystem::path path_ = folder_ / "net.samebits";
};

TEST_F(ReplacePackage, PutsTheNewOneInItsPlaceAndRemovesTheOld) {
  for (const int error : {0, EINVAL, ENOSYS}) {  // of exchanging: with the others the file system cannot
    exchange_error = error;
    write_all(path_ / "notes.txt", "of the old package");
    save_package(graph_named("new"), path_);
    EXPECT_EQ(load_package(path_).name, "new");
    EXPECT_THAT(names_in(folder_.path()), ElementsAre("net.samebits"));
    EXPECT_THAT(names_in(path_), ElementsAre("SHA256SUMS", "codes.safetensors", "graph.json"));
  }
}

TEST_F(ReplacePackage, OfALinkReplacesWhatItLeadsTo) {
  std::filesystem::create_symlink("net.samebits", folder_ / "link");
  std::filesystem::create_symlink("other.samebits", folder_ / "dangling");
  save_package(graph_named("new"), folder_ / "link/");
  save_package(graph_named("other"), folder_ / "dangling");
  EXPECT_EQ(load_package(path_).name, "new");
  EXPECT_EQ(load_package(folder_ / "other.samebits").name, "other");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("dangling", "link", "net.samebits", "other.samebits"));
}

TEST_F(ReplacePackage, KeepsModesOfTheOldOne) {
  const auto mode_of = [](const std::filesystem::path& path) {
    return static_cast<unsigned>(std::filesystem::status(path).permissions());
  };
  ASSERT_EQ(::chmod(path_.c_str(), 0750), 0);
  ASSERT_EQ(::chmod((path_ / "codes.safetensors").c_str(), 0600), 0);
  save_package(graph_named("new"), path_);
  EXPECT_EQ(load_package(path_).name, "new");
  EXPECT_EQ(mode_of(path_), 0750u);
  EXPECT_EQ(mode_of(path_ / "codes.safetensors"), 0600u);
}

TEST_F(ReplacePackage, KeepsTheOldOneWhenExchangingFails) {
  exchange_error = EIO;
  EXPECT_EQ(error_of([&] { save_package(graph_named("new"), path_); }),
            "[write] " + path_.string() + ": Input/output error");
  EXPECT_EQ(load_package(path_).name, "old");
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("net.samebits"));
}

TEST_F(ReplacePackage, PutsTheOldOneBackWhenTheNewOneCannotTakeItsPlace) {
  exchange_error = EINVAL;
  failing_target = "net.samebits";
  EXPECT_EQ(error_of([&] { save_package(graph_named("new"), path_); }),
            "[write] " + path_.string() + ": Input/output error");
  EXPECT_EQ(load_package(path_).name, "old");
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("net.samebits"));
}

TEST_F(ReplacePackage, KeepsTheOldOneWhenTheDiskIsFull) {
  std::string error;
  {
    const FileSizeLimit full_disk(1024);
    error = error_of([&] { save_package(graph_named("new"), path_); });
  }
  EXPECT_EQ(error, "[write] " + (path_ / "graph.json").string() + ": File too large");
  EXPECT_EQ(load_package(path_).name, "old");
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("net.samebits"));
}

TEST_F(ReplacePackage, TakesAnEmptyFolderForNothing) {
  std::filesystem::create_directory(folder_ / "empty");
  save_package(graph_named("new"), folder_ / "empty");
  EXPECT_EQ(load_package(folder_ / "empty").name, "new");
}

TEST_F(ReplacePackage, NeverRemovesWhatIsNoPackage) {
  std::filesystem::create_directory(folder_ / "photos");
  write_all(folder_ / "photos" / "1.jpg", "x");
  write_all(folder_ / "file", "x");
  for (const char* name : {"photos", "file"})
    EXPECT_EQ(error_of([&] { save_package(graph_named("new"), folder_ / name); }),
              "[package] " + (folder_ / name).string() +
                  ": expected a package or nothing to replace, got something else; choose another name");
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("file", "net.samebits", "photos"));
  EXPECT_THAT(names_in(folder_ / "photos"), ElementsAre("1.jpg"));
}

TEST_F(ReplacePackage, GoesThroughALinkThatLeadsNowhereYet) {
  std::filesystem::create_symlink("later.samebits", folder_ / "link");
  save_package(graph_named("new"), folder_ / "link");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_EQ(load_package(folder_ / "later.samebits").name, "new");
}

TEST_F(ReplacePackage, SaysWhyItCannotWrite) {
  write_all(folder_ / "file", "x");
  const std::pair<std::filesystem::path, const char*> kCases[] = {
      {folder_ / "none" / "net.samebits", "No such file or directory"},
      {folder_ / "file" / "net.samebits", "Not a directory"},
      {"/proc/net.samebits", "No such file or directory"},
  };
  for (const auto& [path, cause] : kCases)
    EXPECT_EQ(error_of([&] { save_package(graph_named("new"), path); }),
              "[write] " + path.string() + ": " + cause);
}

TEST_F(ReplacePackage, ChecksTheGraphBeforeAnythingIsWritten) {
  Graph graph = graph_named("new");
  graph.outputs = {"y"};
  EXPECT_EQ(error_of([&] { save_package(graph, path_); }),
            "[graph] output: expected the name of a value, got \"y\"");
  graph = graph_named("\xff");
  EXPECT_EQ(error_of([&] { save_package(graph, path_); }),
            "[package] " + path_.string() +
                ": expected names in UTF-8, got [json.exception.type_error.316] invalid UTF-8 byte at index "
                "0: 0xFF");
  EXPECT_EQ(load_package(path_).name, "old");
}

}  // namespace
}  // namespace samebits::graph
