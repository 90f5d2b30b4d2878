#pragma once
#include "kernels/matmul/gemm_int4.h"

namespace samebits::kernels::reference {
void gemm_int4(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
               std::int64_t column_begin, std::int64_t column_end);
void gemm_float_int4(const GemmFloatInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                     std::int64_t column_begin, std::int64_t column_end);
}  // namespace samebits::kernels::reference
