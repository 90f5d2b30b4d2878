// Files of data sets, made for a test. Written by other code than that which reads them: NumPy's format by
// hand, images by the libraries' encoders.
#pragma once

#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/training/output_folder.h"

namespace samebits::training {

/// A folder for files, which goes with the test.
class DataFolder : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  /// The text of the error that `run` throws, its folder as "DIR"; or "no error".
  template <class Run>
  std::string error_in_folder(Run run) const {
    std::string text = "no error";
    try {
      run();
    } catch (const std::exception& error) {
      text = error.what();
    }
    for (std::size_t at; (at = text.find(folder_.string())) != std::string::npos;)
      text.replace(at, folder_.string().size(), "DIR");
    return text;
  }

  std::filesystem::path folder_ =
      output_folder(std::string("data_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

/// An npy file; `header` is its dictionary.
inline std::string npy_bytes(const std::string& header, const std::string& payload, char version = 1) {
  std::string bytes("\x93NUMPY", 6);
  bytes += version;
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  if (version > 1) bytes += std::string(2, '\0');
  return bytes + header + payload;
}

template <class Value>
std::string raw(const std::vector<Value>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

template <class Value>
std::string npy_of(const std::string& dtype, const std::string& shape, const std::vector<Value>& values) {
  return npy_bytes("{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }\n",
                   raw(values));
}

/// [height, width, channels] pixels as a file.
struct Picture {
  unsigned height, width, channels;
  std::vector<std::uint8_t> pixels;
};

inline std::string png_bytes(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = picture.width;
  image.height = picture.height;
  image.format = picture.channels == 1   ? PNG_FORMAT_GRAY
                 : picture.channels == 3 ? PNG_FORMAT_RGB
                                         : PNG_FORMAT_RGBA;
  png_alloc_size_t size = 0;
  EXPECT_NE(png_image_write_to_memory(&image, nullptr, &size, 0, picture.pixels.data(), 0, nullptr), 0);
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr), 0);
  bytes.resize(size);
  return bytes;
}

inline std::string jpeg_bytes(const Picture& picture) {
  tjhandle encoder = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(encoder, picture.pixels.data(), static_cast<int>(picture.width), 0,
                        static_cast<int>(picture.height), picture.channels == 1 ? TJPF_GRAY : TJPF_RGB, &data,
                        &size, picture.channels == 1 ? TJSAMP_GRAY : TJSAMP_444, 95, TJFLAG_ACCURATEDCT),
            0);
  std::string bytes(reinterpret_cast<const char*>(data), size);
  tjFree(data);
  tjDestroy(encoder);
  return bytes;
}

}  // namespace samebits::training
