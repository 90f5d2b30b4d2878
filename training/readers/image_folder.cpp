#include "training/readers/image_folder.h"

#include <algorithm>
#include <cctype>
#include <system_error>

#include "training/readers/data_error.h"
#include "training/readers/image_file.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;

/// What stands in a folder, hidden names left out, by name.
std::vector<fs::path> visible_entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (!entry.path().filename().string().starts_with('.')) paths.push_back(entry.path());
  if (error) fail_data(folder.string(), "a folder of images", error.message(), "check the path");
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool is_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::string size_text(std::int64_t height, std::int64_t width) {
  return std::to_string(height) + " x " + std::to_string(width) + " pixels";
}

/// The number of a class; a new one where none are given.
std::int64_t class_of(const fs::path& folder, const Arrays* training, std::vector<std::string>& classes) {
  const std::string name = folder.filename().string();
  if (!fs::is_directory(folder))
    fail_data(folder.string(), "a folder, named as a class", "a file",
              "move it into the folder of its class");
  const auto found = std::find(classes.begin(), classes.end(), name);
  if (found == classes.end() && training != nullptr)
    fail_data(folder.string(), "a class that the training images have", "\"" + name + "\"",
              "rename or remove the folder");
  if (found != classes.end()) return found - classes.begin();
  classes.push_back(name);
  return static_cast<std::int64_t>(classes.size()) - 1;
}

void add_image(Arrays& arrays, const fs::path& file) {
  if (!is_image_name(file) || fs::is_directory(file))
    fail_data(file.string(), "an image named *.png, *.jpg or *.jpeg", "another file", "remove it");
  const std::int64_t channels = arrays.shape[0];
  const ImagePixels image = read_image(file, channels);
  if (arrays.shape[1] == 0) arrays.shape = {channels, image.height, image.width};
  if (image.height != arrays.shape[1] || image.width != arrays.shape[2])
    fail_data(file.string(), size_text(arrays.shape[1], arrays.shape[2]),
              size_text(image.height, image.width), "scale or crop the images to one size");
  arrays.bytes.insert(arrays.bytes.end(), image.pixels.begin(), image.pixels.end());
}

}  // namespace

Arrays read_image_folder(const fs::path& folder, const ImageFolderOptions& options) {
  Arrays arrays{.shape = {options.channels, options.size, options.size}};
  if (options.training != nullptr) {
    arrays.shape = options.training->shape;
    arrays.classes = options.training->classes;
  }
  for (const fs::path& class_folder : visible_entries(folder)) {
    const std::int64_t label = class_of(class_folder, options.training, arrays.classes);
    const std::vector<fs::path> files = visible_entries(class_folder);
    if (files.empty()) fail_data(class_folder.string(), "images", "an empty folder", "remove it or fill it");
    for (const fs::path& file : files) {
      add_image(arrays, file);
      arrays.labels.push_back(label);
    }
  }
  if (arrays.labels.empty() || arrays.classes.size() < 2)
    fail_data(folder.string(), "a folder for each of at least 2 classes",
              std::to_string(arrays.classes.size()),
              "images lie in FOLDER/CLASS/, or in FOLDER/train/CLASS/ and FOLDER/test/CLASS/");
  arrays.count = static_cast<std::int64_t>(arrays.labels.size());
  arrays.outputs = static_cast<std::int64_t>(arrays.classes.size());
  return arrays;
}

}  // namespace samebits::training
