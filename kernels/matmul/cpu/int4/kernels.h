// The entries of gemm_int4's list that have files of their own.
#pragma once

#include "hwy/highway.h"
#include "kernels/matmul/gemm_int4.h"

#if HWY_TARGETS & HWY_AVX3
namespace samebits::kernels::N_AVX3 {
/// VNNI, levels unpacked in registers for each tile of rows.
void gemm_int4_few_rows(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                        std::int64_t column_begin, std::int64_t column_end);
/// VNNI, levels unpacked once for a batch of rows.
void gemm_int4_many_rows(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                         std::int64_t column_begin, std::int64_t column_end);
/// AMX tiles, levels unpacked once for a batch of rows.
void gemm_int4_amx(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                   std::int64_t column_begin, std::int64_t column_end);
}  // namespace samebits::kernels::N_AVX3
#endif
