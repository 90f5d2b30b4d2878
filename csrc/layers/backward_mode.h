// In which arithmetic a layer's backward multiplies. Torch-free: configurations name it too.
#pragma once

namespace samebits {

/// The forward is the same in all three. kFloat32: matrix products in float32 on the dequantized operands.
/// kBfloat16: codes enter exactly, the gradient is rounded to bfloat16, sums are float32. kInt8
/// (experimental): the gradient for the input goes through int8 codes, one scale a row, rounded
/// stochastically; the gradient for the weight is kBfloat16's (as SwitchBack, arXiv 2304.13013).
enum class BackwardMode { kFloat32, kBfloat16, kInt8 };

}  // namespace samebits
