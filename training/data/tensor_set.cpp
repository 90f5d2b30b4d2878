#include "training/data/tensor_set.h"

#include <torch/torch.h>

#include <cmath>

namespace samebits::training {
namespace {

template <class Value>
torch::Tensor tensor_of(const std::vector<Value>& values, std::vector<std::int64_t> shape,
                        torch::ScalarType type) {
  return torch::from_blob(const_cast<Value*>(values.data()), shape, type).clone();
}

struct Moments {
  float mean, deviation;
};

Moments moments_of(double n, double sum, double sum_of_squares, double unit) {
  const double mean = sum / n, variance = sum_of_squares / n - mean * mean;
  return {static_cast<float>(mean / unit), static_cast<float>(variance > 0 ? std::sqrt(variance) / unit : 1)};
}

/// Integer sums are exact.
Moments moments(const std::uint8_t* values, std::int64_t n) {
  std::uint64_t sum = 0, sum_of_squares = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    sum += values[i];
    sum_of_squares += static_cast<std::uint64_t>(values[i]) * values[i];
  }
  return moments_of(static_cast<double>(n), static_cast<double>(sum), static_cast<double>(sum_of_squares),
                    255);
}

/// About the first value, so that large equal values have a deviation of 0.
Moments moments(const float* values, std::int64_t n) {
  const double origin = values[0];
  double sum = 0, sum_of_squares = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = values[i] - origin;
    sum += value;
    sum_of_squares += value * value;
  }
  Moments result = moments_of(static_cast<double>(n), sum, sum_of_squares, 1);
  result.mean = static_cast<float>(sum / static_cast<double>(n) + origin);
  return result;
}

}  // namespace

TensorSet::TensorSet(const Arrays& arrays) {
  std::vector<std::int64_t> shape = arrays.shape;
  shape.insert(shape.begin(), arrays.count);
  x_ = arrays.bytes.empty() ? tensor_of(arrays.reals, shape, torch::kFloat)
                            : tensor_of(arrays.bytes, shape, torch::kByte);
  target_ = arrays.target == TargetKind::kClasses
                ? tensor_of(arrays.labels, {arrays.count}, torch::kLong)
                : tensor_of(arrays.values, {arrays.count, arrays.outputs}, torch::kFloat);
}

Normalization TensorSet::measured_normalization() const {
  const std::int64_t axis = x_.dim() == 4 ? 1 : x_.dim() - 1, channels = x_.size(axis);
  const torch::Tensor rows = x_.movedim(axis, 0).reshape({channels, -1}).contiguous();
  std::vector<float> means, deviations;
  for (std::int64_t c = 0; c < channels; ++c) {
    const torch::Tensor row = rows[c];
    const Moments found = row.scalar_type() == torch::kByte
                              ? moments(row.const_data_ptr<std::uint8_t>(), row.numel())
                              : moments(row.const_data_ptr<float>(), row.numel());
    means.push_back(found.mean);
    deviations.push_back(found.deviation);
  }
  const std::vector<std::int64_t> shape =
      x_.dim() == 4 ? std::vector<std::int64_t>{channels, 1, 1} : std::vector<std::int64_t>{channels};
  return {torch::tensor(means).reshape(shape), torch::tensor(deviations).reshape(shape)};
}

Batch TensorSet::batch(const torch::Tensor& indices) const {
  torch::Tensor x = x_.index_select(0, indices);
  if (x.scalar_type() == torch::kLong) return {x, target_.index_select(0, indices)};
  if (x.scalar_type() == torch::kByte) x = x.to(torch::kFloat).div_(255.0f);
  return {x.sub_(normalization_.mean).div_(normalization_.deviation), target_.index_select(0, indices)};
}

}  // namespace samebits::training
