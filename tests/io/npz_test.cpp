// io/npz.h: the bytes of the format, and files that nobody should trust. That they are NumPy's is shown by
// tests/python/test_export_files.py.
#include "io/npz.h"

#include <gmock/gmock.h>

#include "io/npy.h"
#include "tests/io/test_files.h"

namespace samebits::io {
namespace {

NpzFile some_arrays() {
  NpzFile file;
  file["codes"] = {"|i1", {2, 3}, {1, 2, 3, 253, 254, 255}};
  file["a/b \"ü\""] = {"<f4", {1}, {0, 0, 128, 63}};
  file["scalar"] = {"<i8", {}, {1, 0, 0, 0, 0, 0, 0, 0}};
  file["nothing"] = {"<f8", {4, 0}, {}};
  return file;
}

void expect_equal(const NpzFile& a, const NpzFile& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, array] : a) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(b.contains(name));
    EXPECT_EQ(array.descr, b.at(name).descr);
    EXPECT_EQ(array.shape, b.at(name).shape);
    EXPECT_EQ(array.bytes, b.at(name).bytes);
  }
}

std::string parse_error(const std::string& bytes) {
  return error_of([&] { parse_npz(bytes, "a.npz"); });
}

/// `bytes` with those of `from` replaced by as many others, wherever they stand.
std::string replaced(std::string bytes, const std::string& from, const std::string& to) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; at += to.size(), ++count)
    bytes.replace(at, from.size(), to);
  EXPECT_GT(count, 0u);
  return bytes;
}

TEST(Npz, ReadsBackWhatItWrote) {
  const TestFolder folder;
  for (const NpzFile& file : {some_arrays(), NpzFile{}}) {
    write_npz(folder / "a.npz", file);
    expect_equal(read_npz(folder / "a.npz"), file);
  }
}

TEST(Npz, StandsDataWhereAMappedMemberIsAligned) {
  const std::string bytes = npz_bytes({{"x", {"|u1", {3}, {'a', 'b', 'c'}}}}, "a.npz");
  const std::size_t header = bytes.find("\x93NUMPY"), data = bytes.find("abc");
  EXPECT_EQ((data - header) % 64, 0u);
  EXPECT_EQ(bytes[data - 1], '\n');
}

TEST(Npz, RefusesAFileThatEndsAnywhereBeforeItsEnd) {
  const std::string bytes = npz_bytes(some_arrays(), "a.npz");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_THAT(parse_error(bytes.substr(0, size)), testing::StartsWith("[npz] a.npz: ")) << size;
}

TEST(Npz, AChangedBitOfAnArrayIsSeen) {
  const std::string bytes = npz_bytes(some_arrays(), "a.npz");
  for (const auto& [name, array] : some_arrays()) {
    const std::string npy = npy_bytes(array, name);
    const std::size_t begin = bytes.find(npy);
    ASSERT_NE(begin, std::string::npos);
    for (std::size_t bit = 8 * begin; bit < 8 * (begin + npy.size()); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      ASSERT_EQ(parse_error(damaged),
                "[npz] a.npz: " + name + ".npy: expected bytes with the CRC-32 of its directory, got others");
    }
  }
}

TEST(Npz, AChangedByteElsewhereIsAnErrorOrChangesNoArray) {
  const std::string bytes = npz_bytes(some_arrays(), "a.npz");
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const char flip : {'\x01', '\x80'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      if (!parse_error(damaged).empty()) continue;
      NpzFile file = parse_npz(damaged, "a.npz");
      for (const auto& [name, array] : some_arrays()) {
        if (!file.contains(name)) continue;  // names have no sum
        EXPECT_EQ(file[name].bytes, array.bytes);
      }
    }
}

TEST(Npz, SaysWhatIsWrong) {
  const std::string bytes = npz_bytes({{"x", {"|i1", {2}, {1, 2}}}}, "a.npz");
  std::string deflated = bytes;
  deflated[bytes.rfind("PK\x01\x02") + 10] = 8;
  std::string damaged = bytes;
  damaged[bytes.find('\x01', 64)] = 3;
  const struct {
    const char* why;
    std::string bytes, error;
  } kCases[] = {
      {"nothing", "", "expected a ZIP archive, got none; the file is truncated or not an npz file"},
      {"deflated", deflated,
       "x.npy: expected a stored member, got a compressed one; write it by numpy.savez"},
      {"damaged", damaged, "x.npy: expected bytes with the CRC-32 of its directory, got others"},
      {"another member", replaced(bytes, "x.npy", "x.txt"), "x.txt: expected members NAME.npy, got another"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(parse_error(c.bytes), "[npz] a.npz: " + c.error);
  }
}

TEST(Npz, SaysWhichBytesDoNotFitTheShapeThatIsWritten) {
  EXPECT_EQ(error_of([] {
              npz_bytes({{"x", {"|i1", {3}, {1}}}}, "a.npz");
            }),
            "[npz] a.npz: x: expected 3 bytes for |i1 [3], got 1");
  EXPECT_EQ(
      error_of([] {
        npz_bytes({{"x", {">f4", {0}, {}}}}, "a.npz");
      }),
      "[npz] a.npz: x: expected an array of <f8, <f4, <f2, <i8, <i4, <i2, |i1, |u1 or |b1, got \">f4\"");
}

TEST(Npz, NamesAFileThatIsNotThere) {
  EXPECT_EQ(error_of([] { read_npz("no/such.npz"); }), "[npz] no/such.npz: No such file or directory");
}

}  // namespace
}  // namespace samebits::io
