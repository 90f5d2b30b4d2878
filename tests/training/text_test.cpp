// How numbers and text are written, at the edges where a digit or a unit changes.
#include "training/report/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace samebits::training {
namespace {

TEST(Text, WritesNumbersForPeople) {
  const struct {
    std::string written, expected;
  } kCases[] = {
      {fixed_text(91.625, 1), "91.6"},
      {fixed_text(-0.001, 2), "0.00"},
      {fixed_text(-0.01, 2), "-0.01"},
      {fixed_text(NAN, 2), "–"},
      {fixed_text(-INFINITY, 2), "–"},
      {significant_text(0.00392157, 4), "0.003922"},
      {significant_text(1.25e-9, 4), "1.25e-09"},
      {significant_text(INFINITY, 4), "–"},
      {thousands_text(0), "0"},
      {thousands_text(999), "999"},
      {thousands_text(1000), "1,000"},
      {thousands_text(-100000), "-100,000"},
      {thousands_text(-100), "-100"},
      {thousands_text(1234567), "1,234,567"},
      {bytes_text(999), "999 B"},
      {bytes_text(1000), "1.0 kB"},
      {bytes_text(999949), "999.9 kB"},
      {bytes_text(999950), "1.00 MB"},
      {bytes_text(1650000), "1.65 MB"},
      {bytes_text(2100000000), "2.10 GB"},
      {duration_text(0), "0:00"},
      {duration_text(40.2), "0:41"},
      {duration_text(59.5), "1:00"},
      {duration_text(3599), "59:59"},
      {duration_text(3600), "1:00:00"},
      {duration_text(3723), "1:02:03"},
      {duration_text(-1), "–"},
      {duration_text(NAN), "–"},
      {duration_text(1e300), "–"},
  };
  for (const auto& c : kCases) EXPECT_EQ(c.written, c.expected);
}

TEST(Text, EscapesEveryCharacterThatMarksUpAndEveryOneThatXmlForbids) {
  EXPECT_EQ(html_escaped("<script>alert('1' & \"2\")</script>"),
            "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;");
  EXPECT_EQ(html_escaped("Größe ≥ 2⁻¹²⁶"), "Größe ≥ 2⁻¹²⁶");
  EXPECT_EQ(html_escaped(std::string_view("a\0b\x1b[31m\tc\n\x7f", 12)), "a\uFFFDb\uFFFD[31m\tc\n\uFFFD");
}

TEST(PrintableText, ShowsWhatWouldSteerATerminal) {
  EXPECT_EQ(printable_text("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(printable_text("\x7f\r\a"), "\\x7f\\x0d\\x07");
  EXPECT_EQ(printable_text("\xc2\x9b"
                           "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable_text("two\nlines\tand é – …"), "two\nlines\tand é – …");
}

}  // namespace
}  // namespace samebits::training
