#include "export/onnx/ops/recurrent/write_recurrent.h"

namespace samebits::onnx_forms {

void gru(const OnnxNode& out) {
  write_recurrent<graph::Gru>(out);
}

}  // namespace samebits::onnx_forms
