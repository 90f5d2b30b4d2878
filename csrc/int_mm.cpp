#include "csrc/int_mm.h"

#include <exception>
#include <vector>

#include "kernels/gemm_int8.h"
#include "kernels/isa.h"

namespace samebits::ops {
namespace {

/// Codes of every sign and size, extremes first: pairs of -128 are what saturating kernels get wrong.
at::Tensor test_codes(int64_t rows, int64_t columns) {
  at::Tensor codes = at::empty({rows, columns}, at::kChar);
  int8_t* data = codes.mutable_data_ptr<int8_t>();
  for (int64_t i = 0; i < codes.numel(); ++i)
    data[i] = i < codes.numel() / 2 ? (i % 3 == 0 ? int8_t{127} : int8_t{-128}) : static_cast<int8_t>(i * 37 + i / 7);
  return codes;
}

bool agrees_with_kernel(int64_t m, int64_t n, int64_t k) {
  const at::Tensor a = test_codes(m, k), b = test_codes(n, k), products = int_mm(a, b).contiguous();
  std::vector<std::int16_t> packed(kernels::packed_size(n, k));
  kernels::pack_gemm_b(b.const_data_ptr<int8_t>(), n, k, packed.data());
  const int64_t columns = kernels::padded_columns(n);
  std::vector<std::int32_t> expected(m * columns);
  kernels::gemm_int8({.a = a.const_data_ptr<int8_t>(),
                      .a_stride = k,
                      .b = packed.data(),
                      .accumulators = expected.data(),
                      .n = n,
                      .k = k,
                      .k_begin = 0,
                      .k_end = k},
                     0, m);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      if (products.const_data_ptr<int32_t>()[i * n + j] != expected[i * columns + j]) return false;
  return true;
}

}  // namespace

at::Tensor int_mm(const at::Tensor& a, const at::Tensor& b) { return at::_int_mm(a, b.t()); }

const std::string& why_not_int_mm() {
  static const std::string reason = [] {
    const std::string& forced = kernels::isa::forced();
    if (!forced.empty()) return "SAMEBITS_ISA=" + forced;
    try {
      if (agrees_with_kernel(33, 40, 300) && agrees_with_kernel(1, 17, 63) && agrees_with_kernel(64, 64, 1024))
        return std::string();
      return std::string("its self-test gave wrong sums on this processor");
    } catch (const std::exception& error) {
      return std::string("its self-test failed: ") + error.what();
    }
  }();
  return reason;
}

}  // namespace samebits::ops
