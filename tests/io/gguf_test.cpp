// io/gguf.h: the bytes of the format, and files that nobody should trust. That the files are
// llama.cpp's is shown by tests/python/test_export_files.py.
#include "io/gguf.h"

#include <gmock/gmock.h>

#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

std::vector<std::uint8_t> counted(std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

GgufFile one_of_each_type() {
  GgufFile file;
  file.texts = {{"general.architecture", "samebits"}, {"empty", ""}, {"ü", "line\nline"}};
  file.numbers = {{"general.alignment", 32}, {"n", 4000000000}};
  file.tensors["f32"] = {GgufType::kF32, {3}, counted(12)};
  file.tensors["f16"] = {GgufType::kF16, {1, 2, 1, 3}, counted(12)};
  file.tensors["q4_0"] = {GgufType::kQ4_0, {3, 64}, counted(3 * 36)};
  file.tensors["q4_1"] = {GgufType::kQ4_1, {1, 32}, counted(20)};
  file.tensors["q8_0"] = {GgufType::kQ8_0, {2, 32}, counted(68)};
  return file;
}

void expect_equal(const GgufFile& a, const GgufFile& b) {
  EXPECT_EQ(a.texts, b.texts);
  EXPECT_EQ(a.numbers, b.numbers);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(b.tensors.contains(name));
    EXPECT_EQ(tensor.type, b.tensors.at(name).type);
    EXPECT_EQ(tensor.shape, b.tensors.at(name).shape);
    EXPECT_EQ(tensor.bytes, b.tensors.at(name).bytes);
  }
}

std::string parse_error(const std::string& bytes) {
  return error_of([&] { parse_gguf(bytes, "a.gguf"); });
}

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}
std::string text(const std::string& value) {
  return number(value.size(), 8) + value;
}
/// Magic, version, counts.
std::string head(std::uint64_t tensors, std::uint64_t values) {
  return "GGUF" + number(3, 4) + number(tensors, 8) + number(values, 8);
}

TEST(Gguf, ReadsBackWhatItWrote) {
  const TestFolder folder;
  for (const GgufFile& file : {one_of_each_type(), GgufFile{}}) {
    write_gguf(folder / "a.gguf", file);
    expect_equal(read_gguf(folder / "a.gguf"), file);
  }
}

TEST(Gguf, WritesSizesOfNeighboursFirstAndDataAtMultiplesOf32) {
  const std::string bytes =
      gguf_bytes({{{"k", "v"}}, {}, {{"x", {GgufType::kF32, {2, 3}, counted(24)}}}}, "a");
  const std::string expected = head(1, 1) + text("k") + number(8, 4) + text("v") + text("x") + number(2, 4) +
                               number(3, 8) + number(2, 8) + number(0, 4) + number(0, 8);
  EXPECT_EQ(bytes.substr(0, expected.size()), expected);
  EXPECT_EQ(bytes.size() % 32, 0u);
  const std::vector<std::uint8_t> data = counted(24);
  EXPECT_EQ(bytes.substr((expected.size() + 31) / 32 * 32, 24), std::string(data.begin(), data.end()));
}

TEST(Gguf, PassesOverMetadataOfOtherTypes) {
  std::string bytes = head(0, 4);
  bytes += text("bool") + number(7, 4) + number(1, 1);
  bytes += text("f64") + number(12, 4) + number(0, 8);
  bytes += text("texts") + number(9, 4) + number(8, 4) + number(2, 8) + text("a") + text("bc");
  bytes +=
      text("nested") + number(9, 4) + number(9, 4) + number(1, 8) + number(2, 4) + number(3, 8) + "abcdef";
  const GgufFile file = parse_gguf(bytes, "a.gguf");
  EXPECT_TRUE(file.texts.empty() && file.numbers.empty() && file.tensors.empty());
}

TEST(Gguf, RefusesAFileThatEndsAnywhereBeforeItsEnd) {
  const std::string bytes = gguf_bytes(one_of_each_type(), "a.gguf");
  // Behind the last tensor, of 68 bytes, stand 28 of padding.
  for (std::size_t size = 0; size + 28 < bytes.size(); ++size)
    ASSERT_THAT(parse_error(bytes.substr(0, size)), testing::StartsWith("[gguf] a.gguf: ")) << size;
}

TEST(Gguf, AChangedByteIsAnErrorOrAnotherFile) {
  const std::string bytes = gguf_bytes(one_of_each_type(), "a.gguf");
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const char flip : {'\x01', '\x40', '\xFF'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const std::string error = parse_error(damaged);
      ASSERT_THAT(error, testing::AnyOf("", testing::StartsWith("[gguf] a.gguf: ")));
    }
}

TEST(Gguf, SaysWhatIsWrong) {
  const auto tensor = [](const std::string& name, std::uint64_t type, std::uint64_t size,
                         std::uint64_t offset) {
    return text(name) + number(1, 4) + number(size, 8) + number(type, 4) + number(offset, 8);
  };
  const std::string padding(64, '\0');
  const struct {
    std::string bytes, error;
  } kCases[] = {
      {"", "expected 4 bytes at 0, got 0; the file is truncated"},
      {"GGML" + padding, "expected a file that begins with GGUF, got another"},
      {"GGUF" + number(2, 4) + padding, "expected version 3, got 2"},
      {head(0, 1) + number(1ull << 60, 8),
       "expected 1152921504606846976 bytes at 32, got 0; the file is truncated"},
      {head(0, 1) + text("k") + number(13, 4) + padding,
       "expected metadata of types 0 to 12, nested 4 deep at most, got type 13"},
      {head(0, 2) + text("k") + number(0, 4) + "a" + text("k") + number(0, 4) + "b",
       "expected k once, got it twice"},
      {head(0, 1) + text("general.alignment") + number(4, 4) + number(64, 4),
       "expected general.alignment 32, got 64"},
      {head(0, 1) + text("k") + number(9, 4) + number(10, 4) + number(1ull << 61, 8) + padding,
       "expected values that fit the file, got 2305843009213693952"},
      {head(1, 0) + tensor("x", 14, 32, 0) + padding,
       "x: expected a tensor of F32, F16, Q4_0, Q4_1 or Q8_0, got type 14"},
      {head(1, 0) + tensor("x", 8, 33, 0) + padding + padding,
       "x: expected rows of whole blocks of 32, got [33]"},
      {head(1, 0) + tensor("x", 0, 0, 0) + padding,
       "x: expected sizes >= 1 of at most 2^56 elements, got [0]"},
      {head(1, 0) + tensor("x", 0, 1, 32) + padding,
       "x: expected data at 0, behind the tensor before, got 32"},
      {head(1, 0) + tensor("x", 0, 1000, 0) + padding,
       "expected 4000 bytes at 64, got 57; the file is truncated"},
      {head(0, 0) + padding, "expected the end of the file at 24, got 64 bytes more"},
  };
  for (const auto& c : kCases) EXPECT_EQ(parse_error(c.bytes), "[gguf] a.gguf: " + c.error);
}

TEST(Gguf, RefusesToWriteWhatIsNoTensor) {
  const auto error = [](const std::string& name, const GgufTensor& tensor) {
    return error_of([&] { gguf_bytes({{}, {}, {{name, tensor}}}, "a.gguf"); });
  };
  EXPECT_EQ(error("x", {GgufType::kF32, {2}, counted(7)}),
            "[gguf] a.gguf: x: expected 8 bytes for F32 [2], got 7");
  EXPECT_EQ(error("x", {GgufType::kQ8_0, {31}, {}}),
            "[gguf] a.gguf: x: expected rows of whole blocks of 32, got [31]");
  EXPECT_EQ(error("x", {GgufType::kF32, {}, {}}), "[gguf] a.gguf: x: expected 1 to 4 sizes, got []");
  EXPECT_EQ(error(std::string(64, 'x'), {GgufType::kF32, {1}, counted(4)}),
            "[gguf] a.gguf: " + std::string(64, 'x') + ": expected a name of fewer than 64 bytes, got 64");
}

}  // namespace
}  // namespace samebits::io
