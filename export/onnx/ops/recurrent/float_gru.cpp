#include "export/onnx/ops/recurrent/write_recurrent.h"

namespace samebits::onnx_forms {

void float_gru(const OnnxNode& out) {
  write_recurrent<graph::FloatGru>(out);
}

}  // namespace samebits::onnx_forms
