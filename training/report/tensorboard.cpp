// The frame around a message, its CRC, and the messages themselves; protobuf does their encoding.
#include "training/report/tensorboard.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "io/atomic_file.h"
#include "tensorboard_event.pb.h"
#include "training/crc32c.h"

namespace samebits::training {
namespace {

using samebits_tensorboard::Event;

/// TFRecord's guard against a CRC of data that holds CRCs.
std::uint32_t masked(std::uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

template <typename Integer>
std::string little_endian(Integer value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(value); ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::filesystem::path event_path(const std::filesystem::path& folder) {
  char host[256] = "localhost";
  gethostname(host, sizeof(host) - 1);
  const auto seconds = static_cast<long long>(seconds_since_1970());
  return folder / ("events.out.tfevents." + std::to_string(seconds) + "." + host);
}

Event new_event(std::int64_t step) {
  Event event;
  event.set_wall_time(seconds_since_1970());
  event.set_step(step);
  return event;
}

}  // namespace

std::string tfrecord(std::string_view message) {
  const std::string length = little_endian(static_cast<std::uint64_t>(message.size()));
  std::string frame = length + little_endian(masked(crc32c(length)));
  frame += message;
  return frame + little_endian(masked(crc32c(message)));
}

EventWriter::EventWriter(const std::filesystem::path& folder) : path_(event_path(folder)) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw io::WriteError("[tensorboard] " + folder.string() +
                         ": expected a folder that can be created, got \"" + error.message() +
                         "\"; name another folder");
  }
  file_.reset(std::fopen(path_.c_str(), "ab"));
  if (file_ == nullptr) fail_writing();
  Event event = new_event(0);
  event.set_file_version("brain.Event:2");
  append(event.SerializeAsString());
  flush();
}

void EventWriter::scalar(const std::string& tag, std::int64_t step, double value) {
  Event event = new_event(step);
  auto* entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  entry->set_simple_value(static_cast<float>(value));
  append(event.SerializeAsString());
}

void EventWriter::histogram(const std::string& tag, std::int64_t step, std::int64_t first_code,
                            std::span<const std::int64_t> counts) {
  Event event = new_event(step);
  auto* entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  auto* histogram = entry->mutable_histo();
  bool is_empty = true;
  double num = 0, sum = 0, sum_squares = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double code = static_cast<double>(first_code + static_cast<std::int64_t>(i));
    const double count = static_cast<double>(counts[i]);
    histogram->add_bucket_limit(code + 0.5);
    histogram->add_bucket(count);
    num += count;
    sum += count * code;
    sum_squares += count * code * code;
    if (counts[i] == 0) continue;
    if (is_empty) histogram->set_min(code);
    histogram->set_max(code);
    is_empty = false;
  }
  histogram->set_num(num);
  histogram->set_sum(sum);
  histogram->set_sum_squares(sum_squares);
  append(event.SerializeAsString());
}

void EventWriter::flush() {
  if (std::fflush(file_.get()) != 0) fail_writing();
}

void EventWriter::append(const std::string& message) {
  const std::string frame = tfrecord(message);
  if (std::fwrite(frame.data(), 1, frame.size(), file_.get()) != frame.size()) fail_writing();
}

void EventWriter::fail_writing() const {
  throw io::WriteError("[tensorboard] " + path_.string() + ": expected a file that can be written, got \"" +
                       std::strerror(errno) + "\"; free the disk or name another folder");
}

}  // namespace samebits::training
