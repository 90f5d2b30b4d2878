// io/child_process.h: exit codes, environment, folder and log of a program that was run.
#include "io/child_process.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <system_error>

#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

int shell(const std::string& script, const TestFolder& folder, const std::vector<std::string>& changes = {}) {
  return run_process({"sh", "-c", script}, environment_with(changes), folder.path(), folder / "log");
}

TEST(RunProcess, GivesTheExitCodeAndKeepsWhatWasPrinted) {
  const TestFolder folder;
  EXPECT_EQ(shell("echo out; echo err >&2; exit 7", folder), 7);
  EXPECT_EQ(read_all(folder / "log"), "out\nerr\n");
}

TEST(RunProcess, GivesTheSignalThatEndedIt) {
  const TestFolder folder;
  EXPECT_EQ(shell("kill -9 $$", folder), 128 + 9);
}

TEST(RunProcess, RunsInTheFolderThatItIsGiven) {
  const TestFolder folder;
  EXPECT_EQ(shell("echo here > found", folder), 0);
  EXPECT_EQ(read_all(folder / "found"), "here\n");
}

TEST(RunProcess, SaysWhatCannotBeStarted) {
  const TestFolder folder;
  try {
    run_process({"no-such-program-anywhere"}, environment_with({}), folder.path(), folder / "log");
    FAIL() << "expected an error";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
  }
}

TEST(EnvironmentWith, ReplacesNamesakesAloneAndAddsWhatIsNew) {
  const TestFolder folder;
  ::setenv("SAMEBITS_TEST", "old", 1);
  ::setenv("SAMEBITS_TEST_LONGER", "kept", 1);
  EXPECT_EQ(shell("echo $SAMEBITS_TEST $SAMEBITS_TEST_LONGER $SAMEBITS_NEW", folder,
                  {"SAMEBITS_TEST=new", "SAMEBITS_NEW=added"}),
            0);
  EXPECT_EQ(read_all(folder / "log"), "new kept added\n");
}

}  // namespace
}  // namespace samebits::io
