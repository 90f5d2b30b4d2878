// io/json.h: what is refused, and that large texts take time in proportion.
#include "io/json.h"

#include <gtest/gtest.h>

#include <ctime>

#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

TEST(ParseJson, GivesTheValue) {
  EXPECT_EQ(parse_json(R"({"a": [1, -2.5, true, null, "ä"], "b": {"a": 1}})").dump(),
            R"({"a":[1,-2.5,true,null,"ä"],"b":{"a":1}})");
}

TEST(ParseJson, SaysWhatIsWrong) {
  const std::pair<std::string, const char*> kCases[] = {
      {"{\"a\": 1", "expected JSON, got a parse error at line 1, column 8"},
      {"", "expected JSON, got a parse error at line 1, column 1"},
      {"{} x", "expected JSON, got a parse error at line 1, column 4"},
      {std::string("{}\0", 3), "expected JSON, got a NUL at byte 2"},
      {std::string("{}\0{\"a\": 1}", 11), "expected JSON, got a NUL at byte 2"},
      {"[{\"a\": 1, \"b\": 2, \"a\": 3}]", "expected every key once, got \"a\" twice"},
      {"{\"b\": {\"a\": 1}, \"a\": [{\"a\": 2}], \"b\": 1}", "expected every key once, got \"b\" twice"},
      {std::string(17, '['), "expected at most 16 nested brackets, got more"},
      {std::string(1'000'000, '['), "expected at most 16 nested brackets, got more"},
      {"\"\xff\"", "expected JSON, got a parse error at line 1, column 2"},
  };
  for (const auto& [text, message] : kCases) EXPECT_EQ(error_of([&] { parse_json(text); }), message) << text;
  EXPECT_EQ(parse_json(std::string(16, '[') + std::string(16, ']')).size(), 1u);
}

/// Processor time, in seconds, for an object of n members and a list of n objects.
double seconds_for(int n) {
  std::string text = "{\"list\": [";
  for (int i = 0; i < n; ++i) text += (i == 0 ? "{\"a\": [1]}" : ", {\"a\": [1]}");
  text += "]";
  for (int i = 0; i < n; ++i) text += ", \"key" + std::to_string(i) + "\": {\"a\": 1}";
  text += "}";
  const std::clock_t begin = std::clock();
  EXPECT_EQ(parse_json(text).size(), static_cast<std::size_t>(n) + 1);
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(ParseJson, TakesTimeInProportionToTheText) {
  seconds_for(1000);
  const double small = seconds_for(4000), large = seconds_for(64000);
  EXPECT_LT(large, 16 * 6 * small);  // 16 times the text; quadratic would be 256 times the time
}

}  // namespace
}  // namespace samebits::io
