// torch operators samebits::pack_int4 and samebits::unpack_int4.
#pragma once

#include <ATen/ATen.h>

namespace samebits::ops {

/// int8 codes of [-8, 7], any shape, to uint8 [ceil(numel / 2)], the first code in the low nibble. Throws
/// c10::Error on a code outside.
at::Tensor pack_int4(const at::Tensor& codes);

/// The first n codes of a packed tensor: int8 [n].
at::Tensor unpack_int4(const at::Tensor& packed, int64_t n);

}  // namespace samebits::ops
