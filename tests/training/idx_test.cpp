// Every way in which an IDX file can be wrong, with the whole message, and the real data set.
#include "training/readers/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>

#include "tests/training/output_folder.h"

namespace samebits::training {
namespace {

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string images_header(std::uint32_t count, std::uint32_t rows, std::uint32_t columns) {
  return big_endian(0x803) + big_endian(count) + big_endian(rows) + big_endian(columns);
}

std::string labels_header(std::uint32_t count) {
  return big_endian(0x801) + big_endian(count);
}

/// Stored, not compressed, so that a cut file has lost as many pixels as bytes before its trailer of 8.
std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, Z_NO_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);  // + 16: a gzip header
  std::string packed(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// `packed` with another CRC: the trailer is the CRC and the length, four bytes each.
std::string with_wrong_crc(std::string packed) {
  packed[packed.size() - 8] = static_cast<char>(packed[packed.size() - 8] ^ 1);
  return packed;
}

class Idx : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ = output_folder("idx");
  const std::filesystem::path path_ = folder_ / "file";
};

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(Idx, ReadsPlainAndGzippedFilesAlike) {
  const std::string images = images_header(2, 1, 3) + std::string("\x00\x01\x7f\x80\xfe\xff", 6);
  for (const std::string& bytes : {images, gzipped(images)}) {
    const IdxImages read = read_idx_images(write(bytes));
    EXPECT_EQ(read.count, 2);
    EXPECT_EQ(read.rows, 1);
    EXPECT_EQ(read.columns, 3);
    EXPECT_THAT(read.pixels, testing::ElementsAre(0, 1, 127, 128, 254, 255));
  }
  const std::string labels = labels_header(3) + std::string("\x09\x00\x05", 3);
  for (const std::string& bytes : {labels, gzipped(labels)}) {
    EXPECT_THAT(read_idx_labels(write(bytes)), testing::ElementsAre(9, 0, 5));
  }
}

TEST_F(Idx, ReadsMoreThanOnePieceInOrder) {
  std::string pixels(3u * 1000 * 1000, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * 7 + i / 251);
  const IdxImages read = read_idx_images(write(gzipped(images_header(3, 1000, 1000) + pixels)));
  EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(), reinterpret_cast<const char*>(read.pixels.data()),
                         reinterpret_cast<const char*>(read.pixels.data()) + read.pixels.size()));
}

TEST_F(Idx, RefusesEveryDamagedFileWithTheWayOut) {
  const std::string whole = images_header(10, 2, 2) + std::string(40, 'x');
  const std::string packed = gzipped(whole);
  const struct {
    const char* why;
    std::string bytes, message;
  } kCases[] = {
      {"an empty file", "",
       "expected an IDX header of 16 bytes, got 0; the file is truncated; copy or install the file again"},
      {"half a magic", whole.substr(0, 2),
       "expected an IDX header of 16 bytes, got 2; the file is truncated; copy or install the file again"},
      {"half a header", whole.substr(0, 15),
       "expected an IDX header of 16 bytes, got 15; the file is truncated; copy or install the file again"},
      {"the labels instead", labels_header(1) + "x",
       "expected the IDX magic 0x00000803 of images, got 0x00000801; this is a file of labels"},
      {"something else", "<!DOCTYPE html><html>",
       "expected the IDX magic 0x00000803 of images, got 0x3c21444f; name an IDX file of unsigned bytes, "
       "gzipped or "
       "plain"},
      {"IDX of floats", big_endian(0xd03) + std::string(12, '\1'),
       "expected the IDX magic 0x00000803 of images, got 0x00000d03; name an IDX file of unsigned bytes, "
       "gzipped or "
       "plain"},
      {"one byte too few", whole.substr(0, whole.size() - 1),
       "expected 40 bytes of pixels, got 39; the file is truncated; copy or install the file again"},
      {"no payload", whole.substr(0, 16),
       "expected 40 bytes of pixels, got 0; the file is truncated; copy or install the file again"},
      {"one byte too many", whole + "x",
       "expected 40 bytes of pixels, got more; header and payload disagree; copy or install the file again"},
      {"one byte too many, gzipped", gzipped(whole + "x"),
       "expected 40 bytes of pixels, got more; header and payload disagree; copy or install the file again"},
      {"gzip cut in the middle", packed.substr(0, packed.size() - 12),
       "expected 40 bytes of pixels, got 36; the file is truncated; copy or install the file again"},
      {"gzip cut in its CRC", packed.substr(0, packed.size() - 6),
       "expected a whole gzip stream, got one without its end; copy or install the file again"},
      {"a wrong CRC", with_wrong_crc(packed),
       "expected an intact gzip stream, got \"incorrect data check\"; copy or install the file again"},
      {"no images", images_header(0, 28, 28),
       "expected 1 to 4294967296 pixels, got 0 x 28 x 28; the header is damaged; copy or install the file "
       "again"},
      {"sizes whose product overflows 64 bits", images_header(0xffffffff, 0xffffffff, 0xffffffff) + "x",
       "expected 1 to 4294967296 pixels, got 4294967295 x 4294967295 x 4294967295; the header is damaged; "
       "copy or "
       "install the file again"},
      {"a product of 2^64, which wraps to 0", images_header(1u << 31, 1u << 31, 4) + "x",
       "expected 1 to 4294967296 pixels, got 2147483648 x 2147483648 x 4; the header is damaged; copy or "
       "install the "
       "file again"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.why);
    write(c.bytes);
    EXPECT_EQ(message_of([&] { read_idx_images(path_); }), "[data] " + path_.string() + ": " + c.message);
  }
}

TEST_F(Idx, RefusesWhatIsNoFileOfLabels) {
  write(images_header(1, 1, 1) + "x");
  EXPECT_EQ(message_of([&] { read_idx_labels(path_); }),
            "[data] " + path_.string() +
                ": expected the IDX magic 0x00000801 of labels, got 0x00000803; this is a file of images");
  write(labels_header(5) + "abc");
  EXPECT_EQ(message_of([&] { read_idx_labels(path_); }),
            "[data] " + path_.string() +
                ": expected 5 bytes of labels, got 3; the file is truncated; copy or install the file again");
}

// Sizes around those of the buffers between file and reader: none of them may hide the end of the stream.
TEST_F(Idx, NeedsTheWholeGzipStreamAtEverySize) {
  for (const std::uint32_t count : {1u, 100u, 8184u, 16384u, 60000u, 65536u, 262144u}) {
    const std::string packed = gzipped(labels_header(count) + std::string(count, '\1'));
    EXPECT_EQ(read_idx_labels(write(packed)).size(), count);
    for (std::size_t cut = 1; cut <= 8; ++cut) {
      write(packed.substr(0, packed.size() - cut));
      EXPECT_EQ(message_of([&] { read_idx_labels(path_); }),
                "[data] " + path_.string() +
                    ": expected a whole gzip stream, got one without its end; copy or install the file again")
          << count << " labels without the last " << cut << " bytes";
    }
  }
}

TEST_F(Idx, ReadsSeveralGzipStreamsAndNothingElseBehindThem) {
  const std::string first = gzipped(labels_header(4) + "ab"), second = gzipped("cd");
  EXPECT_THAT(read_idx_labels(write(first + second)), testing::ElementsAre('a', 'b', 'c', 'd'));
  for (const std::string& behind : {std::string("x"), std::string(8, '\0'), std::string("more text")}) {
    write(first + second + behind);
    EXPECT_EQ(
        message_of([&] { read_idx_labels(path_); }),
        "[data] " + path_.string() +
            ": expected nothing behind the gzip stream, got more bytes; copy or install the file again");
  }
}

TEST_F(Idx, RefusesPipesAndDevicesWithoutWaiting) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  for (const std::filesystem::path& path : {path_, std::filesystem::path("/dev/zero")})
    EXPECT_EQ(message_of([&] { read_idx_images(path); }),
              "[data] " + path.string() +
                  ": expected a readable file, got a pipe or a device; name a file of which you may read "
                  "every byte");
}

TEST_F(Idx, SaysHowToGetAMissingFile) {
  EXPECT_EQ(message_of([&] { read_idx_images(path_); }),
            "[data] " + path_.string() +
                ": expected an IDX file, got no such file; run \"apt install dataset-fashion-mnist\" or set "
                "data.idx "
                "to the folder that has it");
}

TEST_F(Idx, RefusesAFolder) {
  EXPECT_EQ(
      message_of([&] { read_idx_images(folder_); }),
      "[data] " + folder_.string() +
          ": expected a readable file, got Is a directory; name a file of which you may read every byte");
}

TEST_F(Idx, AHeaderThatClaims4GBCostsNoMemory) {
  write(images_header(1u << 16, 1u << 8, 1u << 8) + "x");
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(message_of([&] { read_idx_images(path_); }),
            "[data] " + path_.string() +
                ": expected 4294967296 bytes of pixels, got 1; the file is truncated; copy or install the "
                "file again");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024);  // kB
}

TEST(FashionMnist, IsReadWhole) {
  const std::filesystem::path root = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(root))
    GTEST_SKIP() << root << ": no such folder; apt install dataset-fashion-mnist";
  const struct {
    const char* name;
    std::int64_t count;
  } kParts[] = {{"train", 60000}, {"t10k", 10000}};
  for (const auto& part : kParts) {
    SCOPED_TRACE(part.name);
    const std::string prefix = part.name;
    const IdxImages images = read_idx_images(root / (prefix + "-images-idx3-ubyte.gz"));
    EXPECT_EQ(images.count, part.count);
    EXPECT_EQ(images.rows, 28);
    EXPECT_EQ(images.columns, 28);
    EXPECT_EQ(images.pixels.size(), static_cast<std::size_t>(part.count * 28 * 28));
    const std::vector<std::uint8_t> labels = read_idx_labels(root / (prefix + "-labels-idx1-ubyte.gz"));
    for (int label = 0; label < 10; ++label) {
      EXPECT_EQ(std::count(labels.begin(), labels.end(), label), part.count / 10) << "of label " << label;
    }
  }
}

}  // namespace
}  // namespace samebits::training
