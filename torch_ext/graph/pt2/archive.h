// The entries of an archive of torch.export.save: a zip with the graph as JSON and each storage as plain
// bytes.
#pragma once

#include <ATen/core/Tensor.h>
#include <caffe2/serialize/inline_container.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace samebits::pt2 {

/// The dtype of an archive's number; throws std::runtime_error that names `where` for what is not supported.
at::ScalarType dtype_of(const nlohmann::json& number, const std::string& where);

class Archive {
 public:
  /// Throws std::runtime_error that names the path when it is no such archive.
  explicit Archive(const std::filesystem::path& path);

  const nlohmann::json& model() const { return model_; }
  /// A weight or a constant by its name. What has one record and one layout is one tensor.
  at::Tensor tensor(const std::string& name);

 private:
  bool has(const std::string& record);
  nlohmann::json parse(const std::string& record);
  at::Tensor read(const std::string& name, const nlohmann::json& payload, const std::string& record);

  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> zip_;
  nlohmann::json model_, weights_, constants_;
  std::map<std::string, c10::Storage> storages_;
  std::map<std::string, at::Tensor> tensors_;  // by record and layout
};

}  // namespace samebits::pt2
