// samebits::pack_int4 and unpack_int4 on CUDA. Codes are not looked at: a value outside -8..7 keeps its low
// four bits.
#include "csrc/formats/pack_int4.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "kernels/formats/cuda/pack_int4.h"
#include "kernels/formats/pack_int4.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Tensor pack_int4_cuda(const Tensor& codes_any) {
  check_dtype("pack_int4", "codes", codes_any, at::kChar);
  const c10::cuda::CUDAGuard guard(codes_any.device());
  const Tensor codes = codes_any.contiguous();
  const int64_t n = codes.numel();
  const Tensor packed = at::empty({kernels::packed_int4_bytes(n)}, codes.options().dtype(at::kByte));
  check_launch("pack_int4",
               kernels::cuda::launch_pack_int4(codes.const_data_ptr<int8_t>(), n,
                                               packed.mutable_data_ptr<uint8_t>(), current_stream()));
  return packed;
}

Tensor unpack_int4_cuda(const Tensor& packed_any, int64_t n) {
  check_dtype("unpack_int4", "packed", packed_any, at::kByte);
  TORCH_CHECK(n >= 0 && kernels::packed_int4_bytes(n) == packed_any.numel(), "[unpack_int4] n: expected ",
              2 * packed_any.numel() - 1, " or ", 2 * packed_any.numel(), " codes of ", packed_any.numel(),
              " bytes, got ", n);
  const c10::cuda::CUDAGuard guard(packed_any.device());
  const Tensor packed = packed_any.contiguous(), codes = at::empty({n}, packed.options().dtype(at::kChar));
  check_launch("unpack_int4",
               kernels::cuda::launch_unpack_int4(packed.const_data_ptr<uint8_t>(), n,
                                                 codes.mutable_data_ptr<int8_t>(), current_stream()));
  return codes;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("pack_int4", pack_int4_cuda);
  library.impl("unpack_int4", unpack_int4_cuda);
}

}  // namespace samebits::ops
