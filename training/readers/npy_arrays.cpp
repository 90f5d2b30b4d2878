#include "training/readers/npy_arrays.h"

#include <algorithm>

#include "io/error.h"
#include "training/readers/data_error.h"
#include "training/readers/npy.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostClasses = 65536;

void add_labels(Arrays& arrays, const NpyArray& y, const fs::path& path, const Arrays* training) {
  arrays.labels = npy_integers(y);
  const std::int64_t most = training != nullptr ? training->outputs : kMostClasses;
  for (std::size_t i = 0; i < arrays.labels.size(); ++i)
    if (arrays.labels[i] < 0 || arrays.labels[i] >= most)
      fail_data(path.string(), "classes in 0.." + std::to_string(most - 1),
                std::to_string(arrays.labels[i]) + " at element " + std::to_string(i),
                training != nullptr ? "training has no such class" : "number them from 0");
  arrays.outputs =
      training != nullptr
          ? training->outputs
          : std::max<std::int64_t>(*std::max_element(arrays.labels.begin(), arrays.labels.end()) + 1, 2);
}

void add_target(Arrays& arrays, const fs::path& path, const NpyOptions& options) {
  const NpyArray y = read_npy(path);
  if (y.shape[0] != arrays.count)
    fail_data(path.string(), std::to_string(arrays.count) + " targets, one an example",
              std::to_string(y.shape[0]), "the two files belong to different sets");
  arrays.target = options.training != nullptr          ? options.training->target
                  : options.kind != TargetKind::kAny   ? options.kind
                  : y.is_real() || y.shape.size() == 2 ? TargetKind::kReals
                                                       : TargetKind::kClasses;
  const bool is_real = arrays.target == TargetKind::kReals;
  if (y.shape.size() > (is_real ? 2u : 1u))
    fail_data(path.string(), is_real ? "targets [n] or [n, outputs]" : "classes [n]", io::to_text(y.shape),
              "reshape the array");
  if (!is_real && y.is_real())
    fail_data(path.string(), "classes, as integers", y.dtype,
              "convert it with astype, or set task.loss to mse");
  if (!is_real) return add_labels(arrays, y, path, options.training);
  arrays.values = npy_reals(y, path);
  arrays.outputs = y.shape.size() == 2 ? y.shape[1] : 1;
}

}  // namespace

Arrays read_npy_folder(const fs::path& folder, const std::string& suffix, const NpyOptions& options) {
  const fs::path x_path = folder / ("x" + suffix + ".npy"), y_path = folder / ("y" + suffix + ".npy");
  NpyArray x = read_npy(x_path);
  if (x.shape.size() < 2 || x.shape.size() > 4)
    fail_data(x_path.string(),
              "examples [n, features], [n, length, features] or [n, channels, height, width]",
              io::to_text(x.shape), "reshape the array");
  Arrays arrays{.count = x.shape[0], .shape = {x.shape.begin() + 1, x.shape.end()}};
  if (x.dtype == "|u1")
    arrays.bytes = std::move(x.bytes);
  else
    arrays.reals = npy_reals(x, x_path);
  add_target(arrays, y_path, options);
  return arrays;
}

}  // namespace samebits::training
