// The contract of kernels/conv/strided_rows.h as plain loops.
#include "kernels/conv/reference/strided_rows.h"

namespace samebits::kernels::reference {

void copy_strided_rows(const StridedRowsArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row)
    for (std::int64_t i = 0; i < args.n; ++i)
      args.to[row * args.to_row + i] = args.from[row * args.from_row + i * args.stride];
}

}  // namespace samebits::kernels::reference
