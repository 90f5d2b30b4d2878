// io/npy.h: headers that nobody should trust.
#include "io/npy.h"

#include <gmock/gmock.h>

#include "io/error.h"
#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

/// Version 1, the header, the data.
std::string npy_of(const std::string& header, const std::string& data) {
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() & 0xFF) +
         static_cast<char>(header.size() >> 8) + header + data;
}

std::string parse_error(const std::string& bytes) {
  return error_of([&] { parse_npy(bytes, "x"); });
}

TEST(Npy, ReadsHeadersOfEveryOrderAndSpacing) {
  const char* kHeaders[] = {"{'descr': '|i1', 'fortran_order': False, 'shape': (2, 1), }\n",
                            "{'shape':(2,1),'descr':'|i1','fortran_order':False}",
                            "{ 'fortran_order' : False , 'shape' : ( 2 , 1 , ) , 'descr' : '|i1' }   \n"};
  for (const char* header : kHeaders) {
    const NpyArray array = parse_npy(npy_of(header, "ab"), "x");
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 1}));
    EXPECT_EQ(array.bytes, (std::vector<std::uint8_t>{'a', 'b'}));
  }
}

TEST(Npy, RefusesHeadersThatSayAnythingElse) {
  const char* kHeaders[] = {"",
                            "{}",
                            "{'descr': '|i1', 'fortran_order': True, 'shape': (2,), }",
                            "{'descr': '|i1', 'fortran_order': False, 'shape': (-2,), }",
                            "{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999999999999,), }",
                            "{'descr': '|i1', 'fortran_order': False, 'shape': (2,), 'more': 1}",
                            "{'descr': '|i1', 'descr': '|i1', 'fortran_order': False, 'shape': (2,)}",
                            "{'descr': '|i1', 'fortran_order': False, 'shape': (2,)} x",
                            "{'descr': '|i1', 'fortran_order': False, 'shape': (2",
                            "{'descr': '|i1', 'fortran_order': False, 'shape': 2}",
                            "{'descr': '|i1"};
  for (const std::string header : kHeaders) {
    SCOPED_TRACE(header);
    EXPECT_EQ(parse_error(npy_of(header, "ab")),
              "x: expected the header {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, got \"" +
                  shortened(header) + '"');
  }
}

TEST(Npy, SaysWhatElseIsWrong) {
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  const std::string huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}";
  const std::string objects = "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}";
  const std::pair<std::string, std::string> kCases[] = {
      {"", "expected an npy array of version 1 to 3, got something else"},
      {std::string("\x93NUMPY\x04\x00\x00\x00", 10),
       "expected an npy array of version 1 to 3, got something else"},
      {std::string("\x93NUMPY\x02\x00\x00\x00", 10), "expected a whole npy header, got its beginning"},
      {npy_of(header, "").substr(0, 20), "expected an npy header of at most 10 bytes, got 57"},
      {npy_of(header, "abc"), "expected 8 bytes for <i4 [2], got 3"},
      {npy_of(huge, ""), "expected a shape of sizes >= 0 below 2^64 bytes, got [4294967296, 4294967296]"},
      {npy_of(objects, "12345678"),
       "expected an array of <f8, <f4, <f2, <i8, <i4, <i2, |i1, |u1 or |b1, got \"|O\""},
  };
  for (const auto& [bytes, error] : kCases) EXPECT_EQ(parse_error(bytes), "x: " + error);
}

}  // namespace
}  // namespace samebits::io
