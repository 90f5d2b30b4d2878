// torch operators over kernels/formats/pack_int4.h: schema, checks, CPU, Meta.
#include "csrc/formats/pack_int4.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "kernels/formats/pack_int4.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("pack_int4(Tensor codes) -> Tensor packed");
  library.def("unpack_int4(Tensor packed, int n) -> Tensor codes");
}

Tensor pack_int4(const Tensor& codes) {
  static const auto op = find_op<decltype(pack_int4)>("samebits::pack_int4");
  return op.call(codes);
}

Tensor unpack_int4(const Tensor& packed, int64_t n) {
  static const auto op = find_op<decltype(unpack_int4)>("samebits::unpack_int4");
  return op.call(packed, n);
}

namespace {

Tensor pack_int4_meta(const Tensor& codes) {
  check_dtype("pack_int4", "codes", codes, at::kChar);
  const c10::SymInt bytes = (codes.sym_numel() + 1) / 2;  // two a byte
  return at::empty_symint({bytes}, codes.options().dtype(at::kByte));
}

Tensor pack_int4_cpu(const Tensor& codes_any) {
  const Tensor packed = pack_int4_meta(codes_any);
  const Tensor codes = codes_any.contiguous();
  const int8_t* data = codes.const_data_ptr<int8_t>();
  for (int64_t i = 0; i < codes.numel(); ++i)
    TORCH_CHECK(-8 <= data[i] && data[i] <= 7, "[pack_int4] codes: expected values in -8..7, got ",
                static_cast<int>(data[i]), " at element ", i);
  kernels::pack_int4(data, codes.numel(), packed.mutable_data_ptr<uint8_t>());
  return packed;
}

Tensor unpack_int4_meta(const Tensor& packed, int64_t n) {
  check_dtype("unpack_int4", "packed", packed, at::kByte);
  const c10::SymInt bytes = packed.sym_numel();
  TORCH_CHECK(n >= 0 && bytes == n / 2 + n % 2, "[unpack_int4] n: expected ", 2 * bytes - 1, " or ",
              2 * bytes, " codes of ", bytes, " bytes, got ", n);
  return at::empty({n}, packed.options().dtype(at::kChar));
}

Tensor unpack_int4_cpu(const Tensor& packed, int64_t n) {
  const Tensor codes = unpack_int4_meta(packed, n);
  kernels::unpack_int4(packed.contiguous().const_data_ptr<uint8_t>(), n, codes.mutable_data_ptr<int8_t>());
  return codes;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("pack_int4", pack_int4_cpu);
  library.impl("unpack_int4", unpack_int4_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("pack_int4", pack_int4_meta);
  library.impl("unpack_int4", unpack_int4_meta);
}

}  // namespace samebits::ops
