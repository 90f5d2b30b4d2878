// The contract of kernels/conv/depthwise.h as plain loops.
#include "kernels/conv/reference/depthwise.h"

namespace samebits::kernels::reference {

void depthwise_sums(const DepthwiseArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t column = 0; column < args.columns; ++column) {
      const std::int16_t* x = args.x + row * args.row_codes + column * args.step;
      std::int32_t accumulator = 0;
      for (const TapPair& pair : args.pairs)
        accumulator += x[pair.offset] * pair.weights[0] + x[pair.offset + 1] * pair.weights[1];
      args.sums[row * args.columns + column] = accumulator;
    }
  }
}

void widen_rows(const WidenRowsArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row)
    for (std::int64_t i = 0; i < args.n; ++i)
      args.to[row * args.to_row + i] = args.codes[row * args.codes_row + i];
}

}  // namespace samebits::kernels::reference
