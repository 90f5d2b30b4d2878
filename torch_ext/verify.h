// The proof: an exported file run on real inputs and compared, bit for bit, with the training forward in eval
// mode.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "export/verify/verify_report.h"
#include "torch_ext/forward.h"

namespace samebits {

/// Replays `batches`, each the inputs of the model, through `file`: a package folder *.samebits, or another
/// file that holds the whole model (export/formats.h), in process by the runtime; a *.onnx file by
/// onnxruntime in Python (SAMEBITS_PYTHON, else the project's .venv, else python3). Where an ONNX file with
/// float layers differs, it runs again with the floats that these layers give in training put in their place,
/// so that VerifyReport tells what the integer layers do apart. A QDQ file promises no bits: the report says
/// how far its logits, and on the first batch the codes of its layers' inputs, are from training's. Throws
/// std::runtime_error when the file cannot be read or run, MissingDependency when onnxruntime is not there,
/// c10::Error when the model does not give one float32 result.
VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<Tensors>& batches);
/// The same of a model with one input.
VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches);
template <class Model>
VerifyReport verify(Model& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches) {
  return verify(model_ref(model), file, batches);
}
template <class Model>
VerifyReport verify(Model& model, const std::filesystem::path& file, const std::vector<Tensors>& batches) {
  return verify(model_ref(model), file, batches);
}

/// What this machine lacks, and how to get it.
class MissingDependency : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace samebits
