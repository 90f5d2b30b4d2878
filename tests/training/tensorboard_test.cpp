// The frames of an event file, byte for byte. tests/python/test_tensorboard.py reads the same file with
// TensorBoard.
#include "training/report/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include "tests/training/output_folder.h"
#include "training/crc32c.h"

namespace samebits::training {
namespace {

std::string file_bytes(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

/// The messages of a file of frames; a frame that tfrecord() would not have written ends them.
std::vector<std::string> messages_of(const std::string& bytes) {
  std::vector<std::string> messages;
  for (std::size_t begin = 0; begin + 16 <= bytes.size();) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data() + begin, 8);
    if (size > bytes.size() - begin - 16) break;
    const std::string message = bytes.substr(begin + 12, size);
    if (bytes.substr(begin, size + 16) != tfrecord(message)) break;
    messages.push_back(message);
    begin += size + 16;
  }
  return messages;
}

TEST(Crc32c, GivesTheAnswersOfRfc3720) {
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  const struct {
    std::string bytes;
    std::uint32_t crc;
  } kCases[] = {
      {"", 0},
      {"123456789", 0xe3069283},
      {std::string(32, '\0'), 0x8a9136aa},
      {std::string(32, '\xff'), 0x62a8ab43},
      {ascending, 0x46dd794e},
      {std::string(ascending.rbegin(), ascending.rend()), 0x113fdb5c},
  };
  for (const auto& c : kCases) EXPECT_EQ(crc32c(c.bytes), c.crc);
}

TEST(TfRecord, FramesAMessageWithItsLengthAndMaskedCrcs) {
  // What TensorBoard's own RecordWriter writes for the message "abc".
  const std::string length("\x03\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(tfrecord("abc"), length + "\xb0\x99\x49\x0e" + "abc" + "\x6e\x57\xf1\x21");
}

TEST(EventWriter, StartsTheFileWithItsVersionAndKeepsTheOrder) {
  const std::filesystem::path folder = output_folder("event_order");
  const std::filesystem::path nested = folder / "made" / "here";
  std::filesystem::path path;
  {
    EventWriter writer(nested);
    path = writer.path();
    EXPECT_THAT(path.filename().string(), testing::MatchesRegex("events\\.out\\.tfevents\\.[0-9]+\\..+"));
    EXPECT_EQ(path.parent_path(), nested);
    EXPECT_EQ(messages_of(file_bytes(path)).size(), 1u) << "the version is on disk at once";
    writer.scalar("loss/train", 1, 0.5);
    writer.scalar("loss/test", 1, 0.25);
    writer.flush();
    EXPECT_EQ(messages_of(file_bytes(path)).size(), 3u);
    writer.scalar("last", 2, 1);
  }
  const std::string bytes = file_bytes(path);
  const std::vector<std::string> messages = messages_of(bytes);
  ASSERT_EQ(messages.size(), 4u);
  const std::size_t in_frames =
      std::accumulate(messages.begin(), messages.end(), std::size_t{0},
                      [](std::size_t sum, const std::string& message) { return sum + message.size() + 16; });
  EXPECT_EQ(in_frames, bytes.size());
  EXPECT_THAT(messages,
              testing::ElementsAre(testing::HasSubstr("brain.Event:2"), testing::HasSubstr("loss/train"),
                                   testing::HasSubstr("loss/test"), testing::HasSubstr("last")));
  std::filesystem::remove_all(folder);
}

TEST(EventWriter, RefusesAFolderThatIsAFile) {
  const std::filesystem::path folder = output_folder("event_refused");
  const std::filesystem::path file = folder / "file";
  std::ofstream(file) << "x";
  try {
    EventWriter writer(file / "inside");
    FAIL() << "no error";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(),
              "[tensorboard] " + (file / "inside").string() +
                  ": expected a folder that can be created, got \"Not a directory\"; name another folder");
  }
  std::filesystem::remove_all(folder);
}

TEST(EventWriter, SaysWhenTheDiskIsFull) {
  const std::filesystem::path folder = output_folder("event_full");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  {
    EventWriter writer(folder);
    const rlimit small{100, before.rlim_max};
    std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    std::string message = "no error";
    try {
      for (int step = 0; step < 10; ++step) writer.scalar("loss", step, 1);
      writer.flush();
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(message,
              "[tensorboard] " + writer.path().string() +
                  ": expected a file that can be written, got \"File too large\"; free the disk or name "
                  "another folder");
  }
  std::filesystem::remove_all(folder);
}

TEST(EventWriter, WritesTheFileThatThePythonTestReads) {
  const std::filesystem::path folder = output_folder("events");
  EventWriter writer(folder);
  for (int step = 0; step < 5; ++step) writer.scalar("loss/train", step, 1.0 / (1 + step));
  writer.scalar("accuracy/test", std::int64_t{1} << 40, 91.62);
  writer.scalar("loss/lost", 3, NAN);
  writer.histogram("codes/fc1", 7, -8,
                   std::vector<std::int64_t>{0, 0, 3, 0, 5, 0, 0, 1, 9, 1, 0, 0, 2, 0, 0, 0});
  writer.flush();
  EXPECT_EQ(messages_of(file_bytes(writer.path())).size(), 9u);
  if (std::getenv("SAMEBITS_TEST_FOLDER") == nullptr) std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace samebits::training
