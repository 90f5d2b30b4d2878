#include "training/readers/parts.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include "io/error.h"
#include "training/readers/csv_arrays.h"
#include "training/readers/data_error.h"
#include "training/readers/idx.h"
#include "training/readers/image_folder.h"
#include "training/readers/npy_arrays.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;

template <class Value>
std::vector<Value> picked(const std::vector<Value>& values, const std::vector<std::int64_t>& indices,
                          std::int64_t each) {
  std::vector<Value> result;
  if (values.empty()) return result;
  result.reserve(indices.size() * static_cast<std::size_t>(each));
  for (const std::int64_t index : indices)
    result.insert(result.end(), values.begin() + index * each, values.begin() + (index + 1) * each);
  return result;
}

Arrays picked(const Arrays& from, const std::vector<std::int64_t>& indices) {
  const std::int64_t size =
      std::accumulate(from.shape.begin(), from.shape.end(), std::int64_t{1}, std::multiplies<>());
  Arrays result{.count = static_cast<std::int64_t>(indices.size()),
                .shape = from.shape,
                .target = from.target,
                .outputs = from.outputs,
                .classes = from.classes};
  result.bytes = picked(from.bytes, indices, size);
  result.reals = picked(from.reals, indices, size);
  result.labels = picked(from.labels, indices, 1);
  result.values = picked(from.values, indices, from.outputs);
  return result;
}

/// Takes `count` examples, chosen by the seed, out of `from`; both stay in their order.
Arrays take_part(Arrays& from, std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(from.count));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(order.begin(), middle);
  std::sort(middle, order.end());
  Arrays part = picked(from, {order.begin(), middle});
  from = picked(from, {middle, order.end()});
  return part;
}

void limit(Arrays& arrays, std::int64_t count) {
  if (count == 0 || count >= arrays.count) return;
  std::vector<std::int64_t> first(static_cast<std::size_t>(count));
  std::iota(first.begin(), first.end(), 0);
  arrays = picked(arrays, first);
}

std::string size_text(const std::vector<std::int64_t>& shape) {
  return shape.size() == 3 ? std::to_string(shape[1]) + " x " + std::to_string(shape[2]) + " pixels"
                           : io::to_text(shape) + " values";
}

void check_alike(const Arrays& train, const Arrays& part, const std::string& name, const DataConfig& config) {
  const std::string examples = train.shape.size() == 3 ? "images" : "examples";
  if (part.shape != train.shape)
    fail_data(config.path,
              name + " " + examples + " of " + size_text(train.shape) + " like the training " + examples,
              size_text(part.shape), "both are shown to one model");
  if (part.outputs != train.outputs)
    fail_data(config.path, std::to_string(train.outputs) + " outputs like the training examples have",
              std::to_string(part.outputs) + " in the " + name + " examples", "both are shown to one model");
}

/// Reads a part; `training` is null for the training part itself.
using ReadPart = std::function<Arrays(const std::string& name, const Arrays* training)>;
/// Whether a source has the part `name` of its own.
using HasPart = std::function<bool(const std::string& name)>;

Parts read_named_parts(const DataConfig& config, const HasPart& has, const ReadPart& read) {
  Arrays train = read(has("train") ? "train" : "", nullptr);
  std::optional<Arrays> validation, test;
  if (has("train") && has("validation")) validation = read("validation", &train);
  if (has("train") && has("test")) test = read("test", &train);
  return cut_parts(std::move(train), std::move(validation), std::move(test), config);
}

Parts read_idx_parts(const DataConfig& config) {
  const auto read = [&](const std::string& name, const Arrays*) {
    return read_idx_folder(config.path, name == "test" ? "t10k" : "train", config.classes);
  };
  return read_named_parts(
      config, [](const std::string& name) { return name != "validation"; }, read);
}

Parts read_image_parts(const DataConfig& config) {
  const fs::path folder = config.path;
  const auto read = [&](const std::string& name, const Arrays* training) {
    return read_image_folder(name.empty() ? folder : folder / name,
                             {.size = config.size, .channels = config.channels, .training = training});
  };
  return read_named_parts(
      config, [&](const std::string& name) { return fs::is_directory(folder / name); }, read);
}

Parts read_npy_parts(const DataConfig& config, TargetKind kind) {
  const fs::path folder = config.path;
  const auto read = [&](const std::string& name, const Arrays* training) {
    return read_npy_folder(folder, name.empty() ? "" : "_" + name, {.kind = kind, .training = training});
  };
  const auto has = [&](const std::string& name) { return fs::exists(folder / ("x_" + name + ".npy")); };
  return read_named_parts(config, has, read);
}

Parts read_csv_parts(const DataConfig& config, TargetKind kind) {
  const PartFiles files = part_files(config.path, ".csv");
  const auto read = [&](const std::string& name, const Arrays* training) {
    const fs::path& file = name == "test"         ? *files.test
                           : name == "validation" ? *files.validation
                                                  : files.train;
    return csv_arrays(read_csv(file, config.header),
                      {.target = config.target, .kind = kind, .training = training});
  };
  const auto has = [&](const std::string& name) {
    return name == "train" || (name == "test" ? files.test.has_value() : files.validation.has_value());
  };
  return read_named_parts(config, has, read);
}

}  // namespace

PartFiles part_files(const fs::path& path, const std::string& extension) {
  if (!fs::is_directory(path)) return {path, {}, {}};
  const auto file = [&](const std::string& name) { return path / (name + extension); };
  PartFiles files{file("train"), {}, {}};
  if (fs::exists(file("validation"))) files.validation = file("validation");
  if (fs::exists(file("test"))) files.test = file("test");
  return files;
}

std::int64_t part_size(std::int64_t count, double fraction, const DataConfig& config) {
  const std::int64_t size = std::max<std::int64_t>(std::llround(static_cast<double>(count) * fraction), 1);
  if (size >= count)
    fail_data(config.path,
              "more examples than a fraction of " + std::to_string(fraction).substr(0, 4) + " takes",
              std::to_string(count), "set data.test_fraction and data.validation_fraction, or add data");
  return size;
}

Parts cut_parts(Arrays train, std::optional<Arrays> validation, std::optional<Arrays> test,
                const DataConfig& config) {
  if (!test) test = take_part(train, part_size(train.count, config.test_fraction, config), config.split_seed);
  if (!validation && config.validation_fraction > 0)
    validation =
        take_part(train, part_size(train.count, config.validation_fraction, config), config.split_seed + 1);
  check_alike(train, *test, "test", config);
  if (validation) check_alike(train, *validation, "validation", config);
  limit(train, config.train_limit);
  limit(*test, config.test_limit);
  return {std::move(train), std::move(validation), std::move(*test)};
}

Parts read_parts(const DataConfig& config, TargetKind kind) {
  if (config.source == "images") return read_image_parts(config);
  if (config.source == "npy") return read_npy_parts(config, kind);
  if (config.source == "csv") return read_csv_parts(config, kind);
  return read_idx_parts(config);
}

}  // namespace samebits::training
