// export/formats.h: one list, and each format by its name and by its file.
#include "export/formats.h"

#include <gmock/gmock.h>

#include "tests/export/linear_models.h"
#include "tests/io/test_files.h"

namespace samebits {
namespace {

std::string behind_first_line(const std::string& text) {
  return text.substr(text.find('\n'));
}

TEST(Formats, EachIsFoundByItsNameAndByItsFile) {
  std::string names;
  for (const ExportFormat& format : export_formats()) {
    names += std::string(format.name) + " ";
    EXPECT_EQ(find_format(format.name), &format);
    EXPECT_EQ(format_of_file("runs/a.b/model" + std::string(format.extension)), &format);
    EXPECT_EQ(format_of_file("model" + std::string(format.extension) + "/"), &format);
  }
  EXPECT_EQ(names, "package safetensors compressed_tensors gguf npz c_header ");
  EXPECT_EQ(find_format("onnx"), nullptr);
  EXPECT_EQ(format_of_file("model.onnx"), nullptr);
  EXPECT_EQ(format_of_file("model"), nullptr);
}

TEST(Formats, WhatOneWritesItReads) {
  const TestFolder folder;
  for (const ExportFormat& format : export_formats()) {
    SCOPED_TRACE(format.name);
    const std::filesystem::path path = folder.path() / ("model" + std::string(format.extension));
    format.save(gguf_linears(), path);
    ASSERT_TRUE(std::filesystem::exists(path));
    if (format.load == nullptr) continue;
    EXPECT_EQ(load_exported(path), gguf_linears());
  }
}

TEST(Formats, WritesTheBytesThatItWrote) {
  const TestFolder folder;
  const std::filesystem::path data = SAMEBITS_TEST_DATA;
  for (const ExportFormat& format : export_formats()) {
    if (format.name == "package") continue;  // tests/graph/package_test.cpp
    SCOPED_TRACE(format.name);
    const std::string name = "golden" + std::string(format.extension);
    format.save(golden_exports(), folder.path() / name);
    if (format.name == "c_header") {
      // But for the version of the program that wrote it.
      EXPECT_EQ(behind_first_line(read_all(folder.path() / name)),
                behind_first_line(read_all(data / "golden.h.txt")));
      continue;
    }
    EXPECT_EQ(load_exported(data / name), golden_exports());
    if (!std::filesystem::is_directory(data / name)) {
      EXPECT_EQ(read_all(folder.path() / name), read_all(data / name));
      continue;
    }
    for (const std::string& file : names_in(data / name))
      EXPECT_EQ(read_all(folder.path() / name / file), read_all(data / name / file)) << file;
  }
}

TEST(Formats, SaysWhichFilesCanBeRead) {
  for (const char* path : {"model.h", "model.onnx", "model"})
    EXPECT_EQ(error_of([&] { load_exported(path); }),
              std::string("[export] ") + path +
                  ": expected a file that ends in one of .samebits, .safetensors, .compressed, .gguf, .npz, "
                  "got another");
}

}  // namespace
}  // namespace samebits
