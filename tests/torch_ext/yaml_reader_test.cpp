#include "torch_ext/config/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/torch_ext/config_error.h"

namespace samebits {
namespace {

using testing::ElementsAre;

YamlValue parse(const std::string& text) {
  return YamlValue::parse(text, "a.yaml");
}

struct BadDocument {
  const char* why;
  const char* text;
  const char* message;
};

const BadDocument kUnparsable[] = {
    {"an open list", "name: [a\nseed: 1\n",
     "[config] a.yaml:2: expected YAML, got \"end of sequence flow not found\"\n"
     "  2 | seed: 1\n"
     "          ^"},
    {"an error past the last line", "seed: 1\nname: [a\n",
     "[config] a.yaml:2: expected YAML, got \"end of sequence flow not found\"\n"
     "  2 | name: [a\n"
     "              ^"},
    {"a tab where a key should start", "data:\n  a: 1\n\tb: 2\n",
     "[config] a.yaml:3: expected YAML, got \"illegal tab when looking for indentation\"; indent with "
     "spaces\n"
     "  3 | \tb: 2\n"
     "      ^"},
    {"a tab that yaml-cpp takes for text", "data:\n\tname: x\n",
     "[config] a.yaml:2: expected YAML, got \"illegal map value\"; indent with spaces\n"
     "  2 | \tname: x\n"
     "      \t    ^"},
    {"a key twice at the top", "name: a\nseed: 1\nname: b\n",
     "[config] a.yaml:3: name: duplicate key, first on line 1; keep one of them\n"
     "  3 | name: b\n"
     "      ^"},
    {"a key twice deep in a list", "a:\n  - {x: 1}\n  - {b: {c: 1, d: 2, c: 3}}\n",
     "[config] a.yaml:3: a[1].b.c: duplicate key, first on line 3; keep one of them\n"
     "  3 |   - {b: {c: 1, d: 2, c: 3}}\n"
     "                           ^"},
    {"a key twice that holds dots", "\"fc.*\": 1\nfc.*: 2\n",
     "[config] a.yaml:2: \"fc.*\": duplicate key, first on line 1; keep one of them\n"
     "  2 | fc.*: 2\n"
     "      ^"},
    {"an alias", "a: &x 1\nb: *x\n",
     "[config] a.yaml:2: expected a value, got an alias; write the value out\n"
     "  2 | b: *x\n"
     "         ^"},
    {"a tag", "a: !!int 1\n",
     "[config] a.yaml:1: expected a value without a tag, got \"tag:yaml.org,2002:int\"\n"
     "  1 | a: !!int 1\n"
     "         ^"},
    {"a list as a key", "[a]: 1\n",
     "[config] a.yaml:1: expected a key, got a list\n"
     "  1 | [a]: 1\n"
     "      ^"},
    {"nothing as a key", "~: 1\n",
     "[config] a.yaml:1: expected a key, got nothing\n"
     "  1 | ~: 1\n"
     "      ^"},
    {"a byte that is no UTF-8", "a: 1\nb: é\xFF\n",
     "[config] a.yaml:2: expected printable UTF-8, got the byte 0xFF\n"
     "  2 | b: é\xFF\n"
     "          ^"},
    {"the control character that yaml-cpp takes for the end",
     "a: 1\n\x04"
     "b: 2\n",
     "[config] a.yaml:2: expected printable UTF-8, got the byte 0x04\n"
     "  2 | \x04"
     "b: 2\n"
     "      ^"},
    {"half a surrogate pair", "\xED\xA0\x80",
     "[config] a.yaml:1: expected printable UTF-8, got the byte 0xED\n"
     "  1 | \xED\xA0\x80\n"
     "      ^"},
    {"an overlong character", "a: \xE0\x80\x80",
     "[config] a.yaml:1: expected printable UTF-8, got the byte 0xE0\n"
     "  1 | a: \xE0\x80\x80\n"
     "         ^"},
    {"a character that ends too early", "a: \xE2\x82",
     "[config] a.yaml:1: expected printable UTF-8, got the byte 0xE2\n"
     "  1 | a: \xE2\x82\n"
     "         ^"},
    {"a second document", "a: 1\n---\nb: 2\n",
     "[config] a.yaml:2: expected one document, got a second; remove \"---\"\n"
     "  2 | ---\n"
     "      ^"},
};

TEST(YamlReader, RefusesWhatIsNoPlainYamlDocument) {
  for (const BadDocument& bad : kUnparsable) {
    SCOPED_TRACE(bad.why);
    EXPECT_EQ(config_error([&] { parse(bad.text); }), bad.message);
  }
}

// `read` fails on `text` with `message`.
struct BadValue {
  const char* text;
  void (*read)(YamlValue root);
  const char* message;
};

const BadValue kBadValues[] = {
    {"", [](YamlValue root) { root.at("a"); }, "[config] a.yaml: expected a map, got an empty document"},
    {"[1]", [](YamlValue root) { root.has("a"); },
     "[config] a.yaml:1: expected a map, got a list\n  1 | [1]\n      ^"},
    {"7", [](YamlValue root) { root.keys(); }, "[config] a.yaml:1: expected a map, got 7\n  1 | 7\n      ^"},
    {"b: 1", [](YamlValue root) { root.at("a"); },
     "[config] a.yaml:1: a: expected a value, got nothing; add the key\n  1 | b: 1\n      ^"},
    {"sede: 1\nnmae: x", [](YamlValue root) { root.at("name"); },
     "[config] a.yaml:2: nmae: unknown key; did you mean \"name\"?\n  2 | nmae: x\n      ^"},
    {"a: {b: 1}", [](YamlValue root) { root.at("a").text(); },
     "[config] a.yaml:1: a: expected a text, got a map\n  1 | a: {b: 1}\n         ^"},
    {"a: 1", [](YamlValue root) { root.at("a").items(); },
     "[config] a.yaml:1: a: expected a list, got 1\n  1 | a: 1\n         ^"},
    {"a:\n\nb: 1", [](YamlValue root) { root.at("a").integer(0, 9); },
     "[config] a.yaml:1: a: expected an integer in 0..9, got nothing\n  1 | a:\n      ^"},
    {"a: eight", [](YamlValue root) { root.at("a").integer(2, 8); },
     "[config] a.yaml:1: a: expected an integer in 2..8, got \"eight\"\n  1 | a: eight\n         ^"},
    {"a: 9", [](YamlValue root) { root.at("a").integer(2, 8); },
     "[config] a.yaml:1: a: expected an integer in 2..8, got 9\n  1 | a: 9\n         ^"},
    {"a: \"8\"", [](YamlValue root) { root.at("a").integer(2, 8); },
     "[config] a.yaml:1: a: expected an integer in 2..8, got \"8\"; remove the quotes\n  1 | a: \"8\"\n      "
     "   ^"},
    {"a: 1.0", [](YamlValue root) { root.at("a").integer(0, kAnyInteger); },
     "[config] a.yaml:1: a: expected an integer >= 0, got 1.0\n  1 | a: 1.0\n         ^"},
    {"a: 9223372036854775808", [](YamlValue root) { root.at("a").integer(-kAnyInteger, kAnyInteger); },
     "[config] a.yaml:1: a: expected an integer, got 9223372036854775808\n  1 | a: 9223372036854775808\n     "
     "    ^"},
    {"a: .nan", [](YamlValue root) { root.at("a").number(-kAnyNumber, kAnyNumber); },
     "[config] a.yaml:1: a: expected a number, got .nan\n  1 | a: .nan\n         ^"},
    {"a: -.inf", [](YamlValue root) { root.at("a").number(-kAnyNumber, 1); },
     "[config] a.yaml:1: a: expected a number <= 1, got -.inf\n  1 | a: -.inf\n         ^"},
    {"a: inf", [](YamlValue root) { root.at("a").number(0, kAnyNumber); },
     "[config] a.yaml:1: a: expected a number >= 0, got inf\n  1 | a: inf\n         ^"},
    {"a: 0", [](YamlValue root) { root.at("a").number(kAboveZero, kAnyNumber); },
     "[config] a.yaml:1: a: expected a number > 0, got 0\n  1 | a: 0\n         ^"},
    {"a: 1", [](YamlValue root) { root.at("a").number(0, kBelowOne); },
     "[config] a.yaml:1: a: expected a number >= 0 and < 1, got 1\n  1 | a: 1\n         ^"},
    {"a: 1.5", [](YamlValue root) { root.at("a").number(0.25, 1); },
     "[config] a.yaml:1: a: expected a number in 0.25..1, got 1.5\n  1 | a: 1.5\n         ^"},
    {"a: yes", [](YamlValue root) { root.at("a").boolean(); },
     "[config] a.yaml:1: a: expected true or false, got \"yes\"\n  1 | a: yes\n         ^"},
    {"a: 'true'", [](YamlValue root) { root.at("a").boolean(); },
     "[config] a.yaml:1: a: expected true or false, got \"true\"; remove the quotes\n  1 | a: 'true'\n       "
     "  ^"},
    {"a: adamv",
     [](YamlValue root) {
       root.at("a").choice({"sgd", "adamw", "lion"});
     },
     "[config] a.yaml:1: a: expected sgd, adamw or lion, got \"adamv\"; did you mean \"adamw\"?\n"
     "  1 | a: adamv\n         ^"},
    {"a: [x]", [](YamlValue root) { root.at("a").choice({"x"}); },
     "[config] a.yaml:1: a: expected x, got a list\n  1 | a: [x]\n         ^"},
    {"a: [1, 2, x]", [](YamlValue root) { root.at("a").items()[2].integer(0, 9); },
     "[config] a.yaml:1: a[2]: expected an integer in 0..9, got \"x\"\n  1 | a: [1, 2, x]\n                "
     "^"},
    {"\"ü\": {a: ß}", [](YamlValue root) { root.at("ü").at("a").integer(0, 9); },
     "[config] a.yaml:1: ü.a: expected an integer in 0..9, got \"ß\"\n  1 | \"ü\": {a: ß}\n               ^"},
};

TEST(YamlReader, SaysWhatItExpectedAndWhatItGotAtTheValue) {
  for (const BadValue& bad : kBadValues) {
    SCOPED_TRACE(bad.text);
    EXPECT_EQ(config_error([&] { bad.read(parse(bad.text)); }), bad.message);
  }
}

TEST(YamlReader, ShortensALongValueInTheMessage) {
  const std::string text(70, 'x');
  EXPECT_EQ(config_error([&] { YamlValue::parse(text, "a.yaml").boolean(); }),
            "[config] a.yaml:1: expected true or false, got \"" + std::string(60, 'x') + "…\"\n  1 | " +
                text + "\n      ^");
}

TEST(YamlReader, ReadsEveryKindOfValue) {
  YamlValue root = parse("{text: 'a: b', yes: true, no: false, int: -7, plus: +7, list: [1, {x: 2}]}");
  EXPECT_EQ(root.at("text").text(), "a: b");
  EXPECT_TRUE(root.at("yes").boolean());
  EXPECT_FALSE(root.at("no").boolean());
  EXPECT_EQ(root.at("int").integer(-7, -7), -7);
  EXPECT_EQ(root.at("plus").integer(7, 7), 7);
  EXPECT_EQ(root.at("list").items()[0].integer(1, 1), 1);
  EXPECT_EQ(root.at("list").items()[1].at("x").path(), "list[1].x");
  EXPECT_EQ(root.at("int").text(), "-7");
  EXPECT_EQ(root.at("text").choice({"x", "a: b"}), "a: b");
}

TEST(YamlReader, ReadsNumbersAsYamlWritesThem) {
  const std::pair<const char*, double> cases[] = {{"1e-3", 1e-3}, {"1E-3", 1e-3},   {".5", 0.5},
                                                  {"2.", 2},      {"+1.5e+2", 150}, {"-0", 0},
                                                  {"007", 7},     {"3", 3},         {"5e-324", 5e-324}};
  for (const auto& [text, value] : cases) {
    SCOPED_TRACE(text);
    EXPECT_EQ(parse(text).number(-kAnyNumber, kAnyNumber), value);
  }
  for (const char* text : {"0x10", "1_000", "1e999", "1e", "", "nan", ".inf", "1 2"}) {
    SCOPED_TRACE(text);
    EXPECT_NE(config_error([&] { parse(text).number(-kAnyNumber, kAnyNumber); }), "no error");
  }
}

TEST(YamlReader, TellsTheKindOfAValue) {
  YamlValue root = parse("{a: , b: {}, c: [], d: x, e: ~, f: ''}");
  EXPECT_TRUE(root.is_map() && !root.is_list() && !root.is_scalar() && !root.is_null());
  EXPECT_TRUE(root.at("a").is_null() && root.at("e").is_null());
  EXPECT_TRUE(root.at("b").is_map());
  EXPECT_TRUE(root.at("c").is_list());
  EXPECT_TRUE(root.at("d").is_scalar() && root.at("f").is_scalar());
}

TEST(YamlReader, KeepsTheOrderOfKeys) {
  EXPECT_THAT(parse("z: 1\na: 2\nm: 3\n").keys(), ElementsAre("z", "a", "m"));
}

TEST(YamlReader, FinishNamesTheFirstKeyThatNobodyAskedFor) {
  YamlValue root = parse("weight: 8\nactivaton: 8\nzzz: 1\n");
  root.has("weight");
  root.has("activation");
  EXPECT_EQ(
      config_error([&] { root.finish(); }),
      "[config] a.yaml:2: activaton: unknown key; did you mean \"activation\"?\n  2 | activaton: 8\n      ^");
  root.has("activaton");
  EXPECT_EQ(
      config_error([&] { root.finish(); }),
      "[config] a.yaml:3: zzz: unknown key; expected weight, activation or activaton\n  3 | zzz: 1\n      ^");
  root.at("zzz");
  EXPECT_EQ(config_error([&] { root.finish(); }), "no error");
}

TEST(YamlReader, CopiesShareTheirKnownKeys) {
  YamlValue root = parse("{a: {b: 1}}");
  root.at("a").has("b");
  EXPECT_EQ(config_error([&] { root.at("a").finish(); }), "no error");
}

TEST(YamlReader, SetReplacesAndAdds) {
  YamlValue root = parse("a: {b: 1, c: 2}\n");
  root.set("a.b=5");
  root.set("x.y.z=[1, 2]");
  root.set("a.\"fc.*\".skip=true");
  root.set("a.text=b=c.d");
  EXPECT_EQ(root.at("a").at("b").integer(5, 5), 5);
  EXPECT_EQ(root.at("a").at("c").integer(2, 2), 2);
  EXPECT_EQ(root.at("x").at("y").at("z").items().size(), 2u);
  EXPECT_TRUE(root.at("a").at("fc.*").at("skip").boolean());
  EXPECT_EQ(root.at("a").at("fc.*").at("skip").path(), "a.\"fc.*\".skip");
  EXPECT_EQ(root.at("a").at("text").text(), "b=c.d");
  EXPECT_THAT(root.keys(), ElementsAre("a", "x"));
  root.set("a.b=6");
  EXPECT_EQ(root.at("a").at("b").integer(6, 6), 6);
}

TEST(YamlReader, SetStartsAMapInAnEmptyDocument) {
  YamlValue root = parse("");
  root.set("a=1");
  EXPECT_EQ(root.at("a").integer(1, 1), 1);
}

TEST(YamlReader, SetSaysWhatIsWrongWithAnAssignment) {
  const std::pair<const char*, const char*> cases[] = {
      {"a.b", "[config] --set a.b: expected KEY.PATH=VALUE, got no \"=\""},
      {"", "[config] --set : expected KEY.PATH=VALUE, got no \"=\""},
      {"=1", "[config] --set =1: expected KEY.PATH=VALUE, got an empty key"},
      {"a..b=1", "[config] --set a..b=1: expected KEY.PATH=VALUE, got an empty key"},
      {"a.=1", "[config] --set a.=1: expected KEY.PATH=VALUE, got an empty key"},
      {"\"a=1", "[config] --set \"a=1: expected KEY.PATH=VALUE, got no \"=\""},
      {"a.b.c=1", "[config] --set a.b.c=1: a.b: expected a map, got 1; assign the whole value"},
      {"list.0=1", "[config] --set list.0=1: list: expected a map, got a list; assign the whole value"},
      {"a.b=[1", "[config] --set a.b=[1: a.b: expected YAML, got \"end of sequence flow not found\""},
      {"a={x: 1, x: 2}",
       "[config] --set a={x: 1, x: 2}: a.x: duplicate key, first on line 1; keep one of them"},
  };
  for (const auto& [assignment, message] : cases) {
    SCOPED_TRACE(assignment);
    YamlValue root = parse("a: {b: 1}\nlist: [1]\n");
    EXPECT_EQ(config_error([&, text = assignment] { root.set(text); }), message);
  }
}

TEST(YamlReader, MessagesAboutASetValueNameTheAssignment) {
  YamlValue root = parse("a: {b: 1}\n");
  root.set("a.b=nine");
  root.set("a.bb=1");
  YamlValue a = root.at("a");
  EXPECT_EQ(config_error([&] { a.at("b").integer(0, 9); }),
            "[config] --set a.b=nine: a.b: expected an integer in 0..9, got \"nine\"");
  EXPECT_EQ(config_error([&] { a.finish(); }),
            "[config] --set a.bb=1: a.bb: unknown key; did you mean \"b\"?");
}

TEST(YamlReader, LoadNamesAFileThatCannotBeReadAndItsNeighbour) {
  const std::string folder = testing::TempDir() + "yaml_reader";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/mnist.yaml") << "a: 1\r\nb: x\r\n";

  YamlValue root = YamlValue::load(folder + "/mnist.yaml");
  EXPECT_EQ(
      config_error([&] { root.at("b").boolean(); }),
      "[config] " + folder + "/mnist.yaml:2: b: expected true or false, got \"x\"\n  2 | b: x\n         ^");
  EXPECT_EQ(config_error([&] { YamlValue::load(folder + "/mnits.yaml"); }),
            "[config] " + folder +
                "/mnits.yaml: expected a readable file, got \"No such file or directory\"; " +
                "did you mean \"" + folder + "/mnist.yaml\"?");
  EXPECT_EQ(config_error([&] { YamlValue::load(folder); }),
            "[config] " + folder + ": expected a readable file, got \"Is a directory\"; check the path");
  std::filesystem::remove_all(folder);
}

TEST(NearestName, IsTheFirstOfSmallestDistanceOrNone) {
  const std::vector<std::string> names = {"weight", "activation", "layers", "bits"};
  const std::pair<const char*, const char*> cases[] = {{"activaton", "activation"},
                                                       {"wieght", "weight"},
                                                       {"Layer", "layers"},
                                                       {"bit", "bits"},
                                                       {"bit8", "bits"},
                                                       {"x", ""},
                                                       {"", ""},
                                                       {"wxyzht", "weight"},
                                                       {"wvxyzht", ""},
                                                       {"layers", "layers"},
                                                       {"acti", ""},
                                                       {"actXXXtion", "activation"},
                                                       {"actXXXXion", ""}};
  for (const auto& [word, name] : cases) EXPECT_EQ(nearest_name(word, names), name) << word;
  EXPECT_EQ(nearest_name("bats", {"bits", "bets"}), "bits");
}

TEST(NumberText, IsReadBackAsTheSameDouble) {
  EXPECT_EQ(number_text(0.001), "0.001");
  EXPECT_EQ(number_text(3), "3");
  for (const double value : {1e-3, 0.1 + 0.2, 1.0 / 3, 5e-324, 1.7976931348623157e308, -2.5, 0.0})
    EXPECT_EQ(parse(number_text(value)).number(-kAnyNumber, kAnyNumber), value);
}

}  // namespace
}  // namespace samebits
