#include "export/onnx/ops/recurrent/write_recurrent.h"

namespace samebits::onnx_forms {

void float_lstm(const OnnxNode& out) {
  write_recurrent<graph::FloatLstm>(out);
}

}  // namespace samebits::onnx_forms
