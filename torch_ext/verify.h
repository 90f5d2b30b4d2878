// The proof: an exported file run on real inputs and compared, bit for bit, with the training forward in eval
// mode.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

struct VerifyReport {
  std::filesystem::path file;
  std::int64_t images = 0;
  std::int64_t logits = 0;
  std::int64_t differing = 0;        // logits whose bits differ
  std::int64_t other_decisions = 0;  // images whose largest logit is another
  std::string
      first_difference;  // "image 3, logit 7: expected …, got …; layer 2 (conv2) differs first"; empty: none

  /// "net.onnx: 0 of 100,000 logits differ", or where the first one is.
  std::string text() const;
};

/// Replays `batches` through `file`: a package folder *.samebits in process by the runtime, a *.onnx file by
/// onnxruntime in Python (SAMEBITS_PYTHON, else the project's .venv, else python3). Throws std::runtime_error
/// when the file cannot be read or run, MissingDependency when onnxruntime is not there.
VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches);
template <class Model>
VerifyReport verify(Model& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches) {
  return verify(model_ref(model), file, batches);
}

/// What this machine lacks, and how to get it.
class MissingDependency : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace samebits
