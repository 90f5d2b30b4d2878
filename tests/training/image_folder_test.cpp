// training/readers/image_file.h and image_folder.h.
#include "training/readers/image_folder.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/training/data_files.h"
#include "training/readers/image_file.h"

namespace samebits::training {
namespace {

using Bytes = std::vector<std::uint8_t>;
using ImageFile = DataFolder;

/// Two rows of three pixels.
const Picture kGrey{2, 3, 1, {0, 50, 100, 150, 200, 255}};
const Picture kColour{2, 1, 3, {10, 20, 30, 200, 100, 0}};

TEST_F(ImageFile, ReadsAPngToTheBitChannelAfterChannel) {
  const ImagePixels grey = read_image(write("a.png", png_bytes(kGrey)), 1);
  EXPECT_EQ(std::tie(grey.channels, grey.height, grey.width), std::make_tuple(1, 2, 3));
  EXPECT_EQ(grey.pixels, kGrey.pixels);
  const ImagePixels colour = read_image(write("b.png", png_bytes(kColour)), 3);
  EXPECT_EQ(std::tie(colour.channels, colour.height, colour.width), std::make_tuple(3, 2, 1));
  EXPECT_EQ(colour.pixels, (Bytes{10, 200, 20, 100, 30, 0}));
}

TEST_F(ImageFile, ConvertsGreyToColourAndPutsWhatIsTransparentOnBlack) {
  const ImagePixels colour = read_image(write("a.png", png_bytes({1, 2, 1, {7, 9}})), 3);
  EXPECT_EQ(colour.pixels, (Bytes{7, 9, 7, 9, 7, 9}));
  const ImagePixels clear =
      read_image(write("c.png", png_bytes({1, 2, 4, {200, 100, 50, 0, 1, 2, 3, 255}})), 3);
  EXPECT_EQ(clear.pixels, (Bytes{0, 1, 0, 2, 0, 3}));
}

TEST_F(ImageFile, ReadsAJpegUnderAnyName) {
  const Picture even{16, 8, 3, [] {
                       Bytes pixels;
                       for (int i = 0; i < 128; ++i) pixels.insert(pixels.end(), {200, 100, 50});
                       return pixels;
                     }()};
  const ImagePixels image = read_image(write("a.png", jpeg_bytes(even)), 3);
  EXPECT_EQ(std::tie(image.channels, image.height, image.width), std::make_tuple(3, 16, 8));
  for (int c = 0; c < 3; ++c)
    EXPECT_NEAR(image.pixels[static_cast<std::size_t>(c * 128)], even.pixels[static_cast<std::size_t>(c)], 2);
}

TEST_F(ImageFile, RefusesWhatIsDamaged) {
  const std::string png = png_bytes(kGrey), jpeg = jpeg_bytes({16, 16, 1, Bytes(256, 90)});
  std::string wrong_checksum = png;
  char& in_pixels = wrong_checksum[png.find("IDAT") + 10];
  in_pixels = static_cast<char>(in_pixels ^ 1);
  const struct {
    const char* why;
    std::string bytes;
    const char* error;
  } cases[] = {
      {"empty", "", "expected a PNG or JPEG image, got an empty file; convert it or remove it"},
      {"a GIF", "GIF89a",
       "expected a PNG or JPEG image, got a file of another kind; convert it or remove it"},
      {"a PNG cut in its pixels", png.substr(0, png.size() - 25),
       "expected an intact PNG image, got \"read beyond end of data\"; copy the file again or remove it"},
      {"a JPEG cut in its pixels", jpeg.substr(0, jpeg.size() - 4),
       "expected an intact JPEG image, got \"Premature end of JPEG file\"; copy the file again or remove it"},
      {"a JPEG cut in its header", jpeg.substr(0, 20),
       "expected 1 to 67108864 pixels, got 0 x 0; copy the file again or remove it"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(error_in_folder([&] { read_image(write("x.png", c.bytes), 1); }),
              std::string("[data] DIR/x.png: ") + c.error);
  }
  EXPECT_THAT(error_in_folder([&] { read_image(write("x.png", wrong_checksum), 1); }),
              testing::StartsWith("[data] DIR/x.png: expected an intact PNG image, got "));
}

class ImageFolder : public DataFolder {
 protected:
  /// Two images of cats and one of dogs.
  void write_pets(const std::string& part = "") {
    write(part + "dog/1.png", png_bytes({2, 2, 1, {1, 2, 3, 4}}));
    write(part + "cat/b.PNG", png_bytes({2, 2, 1, {5, 6, 7, 8}}));
    write(part + "cat/a.png", png_bytes({2, 2, 1, {9, 10, 11, 12}}));
    write(part + "cat/.hidden", "");
  }
};

TEST_F(ImageFolder, NumbersClassesAndImagesInTheOrderOfTheirNames) {
  write_pets();
  const Arrays arrays = read_image_folder(folder_, {.size = 0, .channels = 1});
  EXPECT_EQ(arrays.count, 3);
  EXPECT_EQ(arrays.shape, (std::vector<std::int64_t>{1, 2, 2}));
  EXPECT_EQ(arrays.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(arrays.labels, (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(arrays.bytes, (Bytes{9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4}));
}

TEST_F(ImageFolder, NumbersTheClassesOfATestPartAsTrainingDoes) {
  write_pets("train/");
  write("test/dog/x.png", png_bytes({2, 2, 1, {1, 1, 1, 1}}));
  const Arrays train = read_image_folder(folder_ / "train", {.channels = 1});
  const Arrays test = read_image_folder(folder_ / "test", {.channels = 1, .training = &train});
  EXPECT_EQ(test.labels, std::vector<std::int64_t>{1});
  EXPECT_EQ(test.outputs, 2);
}

TEST_F(ImageFolder, NamesTheFileOfWhatIsWrong) {
  write_pets();
  const Arrays train = read_image_folder(folder_, {.channels = 1});
  const ImageFolderOptions any{.channels = 1}, large{.size = 3, .channels = 1},
      known{.channels = 1, .training = &train};
  const struct {
    std::string file, bytes;  // beside the pets
    ImageFolderOptions options;
    const char* error;
  } cases[] = {
      {"cat/z.png", png_bytes({2, 3, 1, Bytes(6)}), any,
       "DIR/pets/cat/z.png: expected 2 x 2 pixels, got 2 x 3 pixels; scale or crop the images to one size"},
      {"cat/.x", "", large,
       "DIR/pets/cat/a.png: expected 3 x 3 pixels, got 2 x 2 pixels; scale or crop the images to one size"},
      {"cat/notes.txt", "x", any,
       "DIR/pets/cat/notes.txt: expected an image named *.png, *.jpg or *.jpeg, got another file; remove it"},
      {"a.png", "x", any,
       "DIR/pets/a.png: expected a folder, named as a class, got a file; move it into the folder of its "
       "class"},
      {"bird/1.png", png_bytes({2, 2, 1, Bytes(4)}), known,
       "DIR/pets/bird: expected a class that the training images have, got \"bird\"; rename or remove the "
       "folder"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.file);
    std::filesystem::remove_all(folder_ / "pets");
    write_pets("pets/");
    write("pets/" + c.file, c.bytes);
    EXPECT_EQ(error_in_folder([&] { read_image_folder(folder_ / "pets", c.options); }),
              std::string("[data] ") + c.error);
  }
  std::filesystem::create_directories(folder_ / "empty" / "cat");
  EXPECT_EQ(error_in_folder([&] { read_image_folder(folder_ / "empty", any); }),
            "[data] DIR/empty/cat: expected images, got an empty folder; remove it or fill it");
  EXPECT_EQ(error_in_folder([&] { read_image_folder(folder_ / "none", any); }),
            "[data] DIR/none: expected a folder of images, got No such file or directory; check the path");
  write("one/cat/1.png", png_bytes({1, 1, 1, {1}}));
  EXPECT_EQ(error_in_folder([&] { read_image_folder(folder_ / "one", any); }),
            "[data] DIR/one: expected a folder for each of at least 2 classes, got 1; images lie in "
            "FOLDER/CLASS/, or in "
            "FOLDER/train/CLASS/ and FOLDER/test/CLASS/");
}

}  // namespace
}  // namespace samebits::training
