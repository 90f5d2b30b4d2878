// What the tests of training/ share: error texts, equal bits, files.
#pragma once

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace samebits::training {

/// The text of the error that `run` throws, or "no error".
template <class Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

/// The same shape, type and bits.
inline bool same_bits(const torch::Tensor& a_any, const torch::Tensor& b_any) {
  const torch::Tensor a = a_any.detach().contiguous(), b = b_any.detach().contiguous();
  const auto bytes = [](const torch::Tensor& tensor) {
    return std::string(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  };
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && bytes(a) == bytes(b);
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace samebits::training
