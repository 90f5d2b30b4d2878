// Writes TensorBoard's event files: TFRecord frames around Event messages (tensorboard_event.proto).
// A frame is u64 length, u32 masked CRC of the length, the message, u32 masked CRC of the message;
// little-endian.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace samebits::training {

/// One event file, appended to. What was written is on disk after flush() and after destruction; a process
/// that is killed leaves at most one incomplete frame at the end, which TensorBoard ignores. Not for use by
/// several threads.
class EventWriter {
 public:
  /// Creates `folder` if need be and opens FOLDER/events.out.tfevents.SECONDS.HOST in it. Throws
  /// io::WriteError "[tensorboard] PATH: …" when it cannot.
  explicit EventWriter(const std::filesystem::path& folder);

  /// One point of the curve `tag`. NaN and infinities are written as they are.
  void scalar(const std::string& tag, std::int64_t step, double value);

  /// How often each integer code occurs: counts[i] is for code first_code + i. One bucket a code.
  void histogram(const std::string& tag, std::int64_t step, std::int64_t first_code,
                 std::span<const std::int64_t> counts);

  /// Hands everything to the operating system. Throws io::WriteError on a full disk.
  void flush();

  const std::filesystem::path& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void append(const std::string& message);
  [[noreturn]] void fail_writing() const;

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

/// `message` in a TFRecord frame.
std::string tfrecord(std::string_view message);

}  // namespace samebits::training
