// LSQ with a zero point that is trained too: Y. Bhalgat, J. Lee, M. Nagel, T. Blankevoort, N. Kwak, LSQ+:
// Improving low-bit quantization through learnable offsets and better initialization, CVPR Workshops 2020,
// arXiv:2004.09576. The paper's offset is -zero_point * scale, here on the grid, so that the real 0 has a
// code: its gradient is that of the clipped values, and 0 elsewhere.
#pragma once

#include "torch_ext/quantizer/estimators/lsq.h"

namespace samebits {

/// Trains scales, and the zero points of grids that are not symmetric.
class LsqPlus : public Lsq {
 public:
  LearnedPart learned(Operand) const override { return LearnedPart::kScaleAndZeroPoint; }
};

}  // namespace samebits
