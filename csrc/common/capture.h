// Whether a CUDA graph is being recorded, for code that the CPU's build compiles too.
#pragma once

#include <ATen/ATen.h>

namespace samebits::ops {

/// Whether the current stream of the tensor's device records a graph: then nobody may wait for it, nor look
/// at a value.
bool is_capturing(const at::Tensor& tensor);

/// For csrc/common/cuda: how a CUDA device answers.
void set_capture_query(bool (*query)());

}  // namespace samebits::ops
