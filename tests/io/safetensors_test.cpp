// io/safetensors.h: the bytes of the format, and files that nobody should trust.
#include "io/safetensors.h"

#include <gmock/gmock.h>

#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

using testing::ElementsAre;

/// Eight bytes of header length, the header, the data.
std::string file_of(const std::string& header, const std::string& data) {
  std::string text;
  for (int i = 0; i < 8; ++i) text.push_back(static_cast<char>(header.size() >> (8 * i)));
  return text + header + data;
}

SafetensorsFile one_of_each_dtype() {
  const std::pair<const char*, std::size_t> kDtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
                                                         {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1},
                                                         {"U8", 1},  {"BOOL", 1}};
  SafetensorsFile file;
  std::uint8_t byte = 0;
  for (const auto& [dtype, bytes] : kDtypes) {
    TensorData tensor{dtype, {3, 1}, {}};
    for (std::size_t i = 0; i < 3 * bytes; ++i) tensor.bytes.push_back(byte++);
    file.tensors[std::string("layer.") + dtype] = tensor;
  }
  file.tensors["a scalar"] = {"F32", {}, {0, 0, 128, 63}};
  file.tensors["nothing"] = {"F32", {4, 0}, {}};
  file.tensors["ünï \"quoted\"\n"] = {"U8", {1}, {7}};
  file.metadata = {{"format", "pt"}, {"epoch", "3"}};
  return file;
}

void expect_equal(const SafetensorsFile& a, const SafetensorsFile& b) {
  EXPECT_EQ(a.metadata, b.metadata);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(b.tensors.contains(name));
    EXPECT_EQ(tensor.dtype, b.tensors.at(name).dtype);
    EXPECT_EQ(tensor.shape, b.tensors.at(name).shape);
    EXPECT_EQ(tensor.bytes, b.tensors.at(name).bytes);
  }
}

TEST(Safetensors, ReadsBackWhatItWrote) {
  const TestFolder folder;
  for (const SafetensorsFile& file : {one_of_each_dtype(), SafetensorsFile{}}) {
    write_safetensors(folder / "a.safetensors", file);
    expect_equal(read_safetensors(folder / "a.safetensors"), file);
  }
}

TEST(Safetensors, WritesWiderDtypesFirstThenByNameWithTheDataAtAMultipleOfEight) {
  const SafetensorsFile file = {
      .tensors = {{"b", {"I8", {3}, {1, 2, 3}}}, {"c", {"F32", {1}, {4, 5, 6, 7}}}, {"a", {"I8", {1}, {8}}}},
      .metadata = {{"by", "x"}}};
  std::string header = R"({"__metadata__":{"by":"x"},"c":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("a":{"dtype":"I8","shape":[1],"data_offsets":[4,5]},)"
                       R"("b":{"dtype":"I8","shape":[3],"data_offsets":[5,8]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(safetensors_bytes(file, "a"), file_of(header, "\4\5\6\7\10\1\2\3"));
}

TEST(Safetensors, ReadsTensorsInAnyOrderOfTheHeader) {
  const TestFolder folder;
  write_all(folder / "a", file_of(R"({"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
                                  R"("x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                                  "abc"));
  const SafetensorsFile file = read_safetensors(folder / "a");
  EXPECT_THAT(file.tensors.at("x").bytes, ElementsAre('a', 'b'));
  EXPECT_THAT(file.tensors.at("y").bytes, ElementsAre('c'));
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

struct BadFile {
  const char* why;
  std::string contents;
  const char* message;
};

TEST(Safetensors, RefusesFilesThatAreNotWhole) {
  const std::string bytes = safetensors_bytes(one_of_each_dtype(), "a");
  const BadFile kCases[] = {
      {"empty", "", "expected at least 8 bytes, got 0"},
      {"shorter than a length", "1234567", "expected at least 8 bytes, got 7"},
      {"truncated in the data", bytes.substr(0, bytes.size() - 1),
       "expected 104 bytes of data behind the header, got 103; the file is truncated or not a safetensors "
       "file"},
      {"longer than its tensors", bytes + "x",
       "expected 104 bytes of data behind the header, got 105; the file is truncated or not a safetensors "
       "file"},
      {"truncated in the header", bytes.substr(0, 100),
       "expected a header of at most 92 bytes, got 896; the file is truncated or not a safetensors file"},
      {"a header length of all ones", std::string(8, '\xff') + "{}",
       "expected a header of at most 2 bytes, got 18446744073709551615; the file is truncated or not a "
       "safetensors file"},
      {"a header length beyond int64", std::string("\0\0\0\0\0\0\0\x80{}", 10),
       "expected a header of at most 2 bytes, got 9223372036854775808; the file is truncated or not a "
       "safetensors file"},
  };
  const TestFolder folder;
  for (const BadFile& c : kCases) {
    SCOPED_TRACE(c.why);
    write_all(folder / "a", c.contents);
    EXPECT_EQ(error_of([&] { read_safetensors(folder / "a"); }),
              "[safetensors] " + (folder / "a").string() + ": " + c.message);
  }
}

TEST(Safetensors, RefusesHeadersThatContradictThemselves) {
  const std::string kWanted =
      R"(expected {"dtype": text, "shape": [sizes], "data_offsets": [begin, end]}, got )";
  const struct {
    const char* why;
    std::string header;
    std::string message;
  } kCases[] = {
      {"no JSON", "{\"x\": ", "header: expected JSON, got a parse error at line 1, column 7"},
      {"no object", "[1]", "header: expected an object, got [1]"},
      {"not UTF-8", "{\"\xff\":1}", "header: expected JSON, got a parse error at line 1, column 3"},
      {"a number beyond double", R"({"x":1e999})",
       "header: expected JSON, got a number overflow parsing '1e999'"},
      {"brackets without end", std::string(100'000, '['),
       "header: expected at most 16 nested brackets, got more"},
      {"a tensor twice",
       "{\"x\":" + entry("U8", "[4]", "[0,4]") + ",\"x\":" + entry("U8", "[4]", "[0,4]") + "}",
       "header: expected every key once, got \"x\" twice"},
      {"a tensor that is a number", R"({"x":1})", "x: " + kWanted + "1"},
      {"no shape", R"({"x":{"dtype":"U8","data_offsets":[0,4]}})",
       "x: " + kWanted + R"({"data_offsets":[0,4],"dtype":"U8"})"},
      {"one offset", "{\"x\":" + entry("U8", "[4]", "[0]") + "}",
       "x: " + kWanted + R"({"data_offsets":[0],"dtype":"U8","shape":[4]})"},
      {"a shape of halves", "{\"x\":" + entry("U8", "[0.5]", "[0,4]") + "}",
       "x: expected integers >= 0 in shape, got 0.5"},
      {"a negative size", "{\"x\":" + entry("U8", "[-4]", "[0,4]") + "}",
       "x: expected integers >= 0 in shape, got -4"},
      {"a size beyond int64", "{\"x\":" + entry("U8", "[9223372036854775808]", "[0,4]") + "}",
       "x: expected integers >= 0 in shape, got 9223372036854775808"},
      {"a negative offset", "{\"x\":" + entry("U8", "[4]", "[-4,0]") + "}",
       "x: expected integers >= 0 in data_offsets, got -4"},
      {"an unknown dtype", "{\"x\":" + entry("I4", "[4]", "[0,4]") + "}",
       "x: expected dtype F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, got \"I4\""},
      {"a product that overflows to 0", "{\"x\":" + entry("F32", "[4611686018427387904,4]", "[0,0]") + "}",
       "x: expected a shape of sizes >= 0 below 2^64 bytes, got [4611686018427387904, 4]"},
      {"fewer bytes than the shape", "{\"x\":" + entry("F32", "[2]", "[0,4]") + "}",
       "x: expected 8 bytes for F32 [2], got data_offsets [0, 4]"},
      {"offsets that run backwards", "{\"x\":" + entry("U8", "[4]", "[4,0]") + "}",
       "x: expected 4 bytes for U8 [4], got data_offsets [4, 0]"},
      {"a gap", "{\"x\":" + entry("U8", "[2]", "[2,4]") + "}",
       "x: expected data that begin at 0, where the tensor before ends, got 2"},
      {"an overlap", "{\"x\":" + entry("U8", "[3]", "[0,3]") + ",\"y\":" + entry("U8", "[2]", "[2,4]") + "}",
       "y: expected data that begin at 3, where the tensor before ends, got 2"},
      {"data far behind the file's end",
       "{\"x\":" + entry("U8", "[1099511627776]", "[0,1099511627776]") + "}",
       "expected 1099511627776 bytes of data behind the header, got 4; the file is truncated or not a "
       "safetensors file"},
      {"metadata of numbers", R"({"__metadata__":{"epoch":3}})",
       "__metadata__: expected a text for \"epoch\", got 3"},
      {"metadata that are no object", R"({"__metadata__":[]})",
       "__metadata__: expected an object of texts, got []"},
  };
  const TestFolder folder;
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.why);
    write_all(folder / "a", file_of(c.header, "data"));
    EXPECT_EQ(error_of([&] { read_safetensors(folder / "a"); }),
              "[safetensors] " + (folder / "a").string() + ": " + c.message);
  }
}

TEST(Safetensors, SurvivesEverySingleByteOfAHeaderThatIsChanged) {
  const TestFolder folder;
  const SafetensorsFile file = {.tensors = {{"x", {"F32", {2}, {1, 2, 3, 4, 5, 6, 7, 8}}}}, .metadata = {}};
  const std::string bytes = safetensors_bytes(file, "a");
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size() - 8; ++i) {
    for (const char change : {'\x01', '\x10', '\x80'}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ change);
      write_all(folder / "a", changed);
      refused += !error_of([&] { read_safetensors(folder / "a"); }).empty();
    }
  }
  EXPECT_GT(refused, 100);  // the others change the name, or a space
}

TEST(Safetensors, SaysWhichFileCouldNotBeRead) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "folder");
  const std::string path = folder.path().string();
  EXPECT_EQ(error_of([&] { read_safetensors(folder / "none"); }),
            "[safetensors] " + path + "/none: No such file or directory");
  EXPECT_EQ(error_of([&] { read_safetensors(folder / "folder"); }),
            "[safetensors] " + path + "/folder: Is a directory");
}

TEST(Safetensors, RefusesToWriteWhatItCouldNotRead) {
  const std::pair<SafetensorsFile, std::string> kCases[] = {
      {{.tensors = {{"x", {"F32", {2}, {1, 2, 3}}}}, .metadata = {}},
       "x: expected 8 bytes for F32 [2], got 3"},
      {{.tensors = {{"x", {"F8", {}, {1}}}}, .metadata = {}},
       "x: expected dtype F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, got \"F8\""},
      {{.tensors = {{"x", {"U8", {-1}, {}}}}, .metadata = {}},
       "x: expected a shape of sizes >= 0 below 2^64 bytes, got [-1]"},
      {{.tensors = {{"__metadata__", {"U8", {1}, {1}}}}, .metadata = {}},
       "__metadata__: expected another name, this one is reserved for metadata"},
      {{.tensors = {{"\xff", {"U8", {1}, {1}}}}, .metadata = {}},
       "expected names and metadata in UTF-8, got [json.exception.type_error.316] invalid UTF-8 byte at "
       "index 0: "
       "0xFF"},
  };
  for (const auto& [file, message] : kCases)
    EXPECT_EQ(error_of([&] { write_safetensors("/tmp/none/a", file); }),
              "[safetensors] /tmp/none/a: " + message);
}

TEST(Safetensors, LeavesTheEarlierFileWhenTheDiskIsFull) {
  const TestFolder folder;
  write_safetensors(folder / "a", one_of_each_dtype());
  const SafetensorsFile large = {.tensors = {{"x", {"U8", {100'000}, std::vector<std::uint8_t>(100'000)}}},
                                 .metadata = {}};
  std::string error;
  {
    const FileSizeLimit full_disk(50'000);
    error = error_of([&] { write_safetensors(folder / "a", large); });
  }
  EXPECT_EQ(error, "[write] " + (folder / "a").string() + ": File too large");
  expect_equal(read_safetensors(folder / "a"), one_of_each_dtype());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("a"));
}

}  // namespace
}  // namespace samebits::io
