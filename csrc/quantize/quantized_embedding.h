// Rows of a float table at places, each on the grid of its own range: an embedding that trains on the codes
// that it ships.
#pragma once

#include <ATen/core/Tensor.h>

#include "quant/encoding.h"

namespace samebits::ops {

/// How such a table is encoded: symmetric, a scale a row; 8 bits are narrow, [-127, 127].
quant::Encoding embedding_encoding(int64_t bits);

/// weight float32 [rows, columns], ids int64 of any shape; float32 [...ids, columns]: the reals that the
/// codes of these rows stand for. The gradient passes straight through to the rows, but for row `padding_idx`
/// (-1: none). Throws c10::Error on bits that are not in 2..8, a place outside of the table, a row that is
/// not finite. CPU.
at::Tensor quantized_embedding(const at::Tensor& weight, const at::Tensor& ids, int64_t bits,
                               int64_t padding_idx = -1);

}  // namespace samebits::ops
