#include "csrc/common/capture.h"

#include <c10/cuda/CUDAGraphsC10Utils.h>

namespace samebits::ops {
namespace {

bool is_current_stream_capturing() {
  return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None;
}

const bool is_set = (set_capture_query(is_current_stream_capturing), true);

}  // namespace
}  // namespace samebits::ops
