#include "export/onnx/ops/recurrent/write_recurrent.h"

namespace samebits::onnx_forms {

void lstm(const OnnxNode& out) {
  write_recurrent<graph::Lstm>(out);
}

}  // namespace samebits::onnx_forms
