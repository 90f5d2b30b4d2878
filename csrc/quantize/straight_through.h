// The autograd side of operators that go to a grid and back: they return FakeQuantized and pass the gradient
// of y to x wherever nothing was clipped.
#pragma once

#include <functional>

#include "csrc/quantize/fake_quantize.h"

namespace samebits::ops {

/// What `run`, called below autograd, returns, with the straight-through gradient from y to x. Keeps the clip
/// mask, one bit an element, not x.
FakeQuantized straight_through(const at::Tensor& x, const std::function<FakeQuantized()>& run);

/// Outputs for x: y like x, clip_mask, saw_nan. The Meta kernels return these, so shapes are written once.
FakeQuantized empty_fake_quantized(const at::Tensor& x);

}  // namespace samebits::ops
