// training/readers/parts.h and text_file.h: which examples are trained on, and which are kept.
#include "training/readers/parts.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/training/data_files.h"
#include "training/readers/text_file.h"

namespace samebits::training {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;

/// Examples 0, 1, … of one value each, whose target is the value too.
Arrays counted(std::int64_t count) {
  Arrays arrays{.count = count, .shape = {1}, .target = TargetKind::kReals, .outputs = 1};
  for (std::int64_t i = 0; i < count; ++i) {
    arrays.reals.push_back(static_cast<float>(i));
    arrays.values.push_back(static_cast<float>(i));
  }
  return arrays;
}

TEST(CutParts, CutsEveryExampleIntoOnePart) {
  const DataConfig config{.path = "d", .test_fraction = 0.2, .validation_fraction = 0.25};
  const Parts parts = cut_parts(counted(100), {}, {}, config);
  EXPECT_EQ(parts.test.count, 20);
  EXPECT_EQ(parts.validation->count, 20);
  EXPECT_EQ(parts.train.count, 60);
  std::vector<float> all, expected = counted(100).reals;
  for (const Arrays* part : {&parts.train, &*parts.validation, &parts.test}) {
    EXPECT_TRUE(std::is_sorted(part->reals.begin(), part->reals.end()));
    EXPECT_EQ(part->values, part->reals);
    all.insert(all.end(), part->reals.begin(), part->reals.end());
  }
  EXPECT_THAT(all, UnorderedElementsAreArray(expected));
}

TEST(CutParts, ChoosesByTheSeedAlone) {
  const auto test_of = [](std::uint64_t seed) {
    return cut_parts(counted(100), {}, {}, {.path = "d", .split_seed = seed}).test.reals;
  };
  EXPECT_EQ(test_of(1), test_of(1));
  EXPECT_NE(test_of(1), test_of(2));
}

TEST(CutParts, LeavesPartsAloneThatAreThere) {
  const DataConfig config{.path = "d", .validation_fraction = 0.5, .train_limit = 2, .test_limit = 3};
  const Parts parts = cut_parts(counted(10), counted(4), counted(5), config);
  EXPECT_THAT(parts.train.reals, ElementsAre(0, 1));
  EXPECT_EQ(parts.validation->count, 4);
  EXPECT_THAT(parts.test.values, ElementsAre(0, 1, 2));
}

TEST(CutParts, HasAtLeastOneExampleInEachPart) {
  EXPECT_EQ(cut_parts(counted(2), {}, {}, {.path = "d", .test_fraction = 0.01}).test.count, 1);
  const auto error = [](std::int64_t count, const DataConfig& config) -> std::string {
    try {
      cut_parts(counted(count), {}, {}, config);
    } catch (const std::exception& caught) {
      return caught.what();
    }
    return "no error";
  };
  EXPECT_EQ(
      error(1, {.path = "d"}),
      "[data] d: expected more examples than a fraction of 0.20 takes, got 1; set data.test_fraction and "
      "data.validation_fraction, or add data");
}

class ReadParts : public DataFolder {
 protected:
  DataConfig config(const std::string& source, const std::string& path) const {
    return {.source = source, .path = (folder_ / path).string(), .channels = 1};
  }
  void write_npy(const std::string& suffix, std::int64_t features) const {
    const std::string n = std::to_string(features);
    write("x" + suffix + ".npy", npy_of<float>("<f4", "(2, " + n + ")", std::vector<float>(2 * features, 1)));
    write("y" + suffix + ".npy", npy_of<std::int64_t>("<i8", "(2,)", {0, 1}));
  }
};

TEST_F(ReadParts, FindsThePartsOfEachSource) {
  const std::string picture = png_bytes({1, 1, 1, {1}});
  for (const char* part : {"train", "test"})
    for (const char* name : {"cat", "dog"})
      write(std::string("images/") + part + "/" + name + "/1.png", picture);
  EXPECT_EQ(read_parts(config("images", "images"), TargetKind::kAny).test.count, 2);
  for (const char* part : {"train", "validation", "test"})
    write(std::string("csv/") + part + ".csv", "a,b\n1,x\n2,y\n");
  const Parts tables = read_parts(config("csv", "csv"), TargetKind::kAny);
  EXPECT_EQ(tables.train.count, 2);
  EXPECT_EQ(tables.validation->count, 2);
  write("whole.csv", "a,b\n1,x\n2,y\n3,x\n4,y\n5,x\n");
  EXPECT_EQ(read_parts(config("csv", "whole.csv"), TargetKind::kAny).test.count, 1);
  for (const char* suffix : {"_train", "_test"}) write_npy(suffix, 3);
  EXPECT_EQ(read_parts(config("npy", ""), TargetKind::kAny).train.count, 2);
}

TEST_F(ReadParts, RefusesPartsOfDifferentShapes) {
  write_npy("_train", 3);
  write_npy("_test", 4);
  EXPECT_EQ(error_in_folder([&] { read_parts(config("npy", ""), TargetKind::kAny); }),
            "[data] DIR/: expected test examples of [3] values like the training examples, got [4] values; "
            "both are "
            "shown to one model");
}

class TextFile : public DataFolder {};

TEST_F(TextFile, ReadsUtf8) {
  const std::string text = "a\n\tä€\U0001F600\xF4\x8F\xBF\xBF";
  EXPECT_EQ(read_text(write("a.txt", text)), text);
  EXPECT_EQ(read_text(write("empty.txt", "")), "");
}

TEST_F(TextFile, NamesTheFirstByteThatIsNoUtf8) {
  const struct {
    const char* why;
    std::string text;
    const char* got;
  } cases[] = {
      {"a NUL", std::string("ab\0c", 4), "0x00 at byte 2"},
      {"Latin-1", "caf\xE9 x", "0xe9 at byte 3"},
      {"a continuation alone", "\x80", "0x80 at byte 0"},
      {"an overlong slash", "\xC0\xAF", "0xc0 at byte 0"},
      {"an overlong code point of three bytes", "\xE0\x80\xAF", "0xe0 at byte 0"},
      {"a surrogate", "a\xED\xA0\x80", "0xed at byte 1"},
      {"above U+10FFFF", "\xF4\x90\x80\x80", "0xf4 at byte 0"},
      {"cut in a code point", "ä\xE2\x82", "0xe2 at byte 2"},
      {"UTF-16", std::string("\xFF\xFEh\0", 4), "0xff at byte 0"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(error_in_folder([&] { read_text(write("a.txt", c.text)); }),
              std::string("[data] DIR/a.txt: expected UTF-8, got ") + c.got +
                  "; convert it, for example with iconv -t UTF-8");
  }
}

}  // namespace
}  // namespace samebits::training
