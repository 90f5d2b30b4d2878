// INT8 products with their fused epilogues: every implementation of gemm_int8, at::_int_mm and the float32
// at::mm of the same shape side by side, and each implementation's share of what its instruction can do.
#include "kernels/matmul/gemm_int8.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <string>

#include "kernels/common/aligned_vector.h"
#include "tests/benchmark/int8_peak.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using Entry = decltype(kernels::gemm_int8)::Entry;

/// Operands of one product, in every form that a contender wants.
struct Product {
  std::int64_t m, n, k;
  at::Tensor a, b, sums, float_a, float_b, float_y;
  kernels::AlignedVector<std::int8_t> packed;
  std::vector<std::int32_t> correction;
  std::vector<float> scale, bias, y;
  std::vector<std::int8_t> codes;

  Product(std::int64_t m, std::int64_t n, std::int64_t k)
      : m(m),
        n(n),
        k(k),
        packed(kernels::packed_size(n, k)),
        correction(n, 17),
        scale(n, 1e-4f),
        bias(n, 0.1f),
        y(m * n),
        codes(m * n) {
    a = at::randint(-128, 128, {m, k}, at::kChar);
    b = at::randint(-127, 128, {n, k}, at::kChar);
    sums = at::empty({m, n}, at::kInt);
    float_a = a.to(at::kFloat);
    float_b = b.to(at::kFloat);
    float_y = at::empty({m, n});
    kernels::pack_gemm_b(b.const_data_ptr<std::int8_t>(), n, k, packed.data(), 0, n);
  }

  kernels::GemmInt8Args args(kernels::GemmOutput output) {
    kernels::GemmInt8Args args{.a = a.const_data_ptr<std::int8_t>(),
                               .a_stride = k,
                               .b = packed.data(),
                               .n = n,
                               .k = k,
                               .output = y.data(),
                               .output_stride = n};
    args.epilogue.output = output;
    args.epilogue.terms = {correction.data(), scale.data(), bias.data()};
    args.epilogue.grid = {.scale = 0.02f, .zero_point = -3};
    if (output == kernels::GemmOutput::kCodes) args.output = codes.data();
    return args;
  }
};

Variant ours(const Entry& entry, Product& product, kernels::GemmOutput output, int threads) {
  const std::string suffix = output == kernels::GemmOutput::kCodes ? " int8 out" : " float out";
  return {entry.name + suffix, [&entry, &product, args = product.args(output), threads] {
            at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
              for (std::int64_t part = begin; part < end; ++part)
                entry.run(args, kernels::gemm_region(product.m, product.n, part, threads));
            });
          }};
}

void compare(Table& table, std::int64_t m, std::int64_t n, std::int64_t k, int threads, int rounds) {
  at::set_num_threads(threads);
  Product product(m, n, k);
  std::vector<Variant> variants = {
      {"at::mm", [&] { at::mm_out(product.float_y, product.float_a, product.float_b.t()); }}};
  // at::_int_mm refuses fewer than 17 rows.
  if (m > 16)
    variants.push_back({"at::_int_mm", [&] { at::_int_mm_out(product.sums, product.a, product.b.t()); }});
  std::vector<std::string> names(variants.size());  // of the implementation, to find its peak
  for (const Entry& entry : kernels::gemm_int8.implementations()) {
    if (!entry.why_not().empty() || std::string(entry.name) == "reference") continue;
    for (const auto output : {kernels::GemmOutput::kFloat, kernels::GemmOutput::kCodes}) {
      variants.push_back(ours(entry, product, output, threads));
      names.push_back(entry.name);
    }
  }
  const std::vector<double> seconds = interleaved_minimum(variants, rounds);
  const std::string name = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + ", " +
                           std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  for (std::size_t i = 0; i < variants.size(); ++i) {
    table.add({name, variants[i].name, "time", 1e3 * seconds[i], "ms", "at::mm", seconds[i] / seconds[0]});
    const double peak = int8_peak(names[i]) * threads;
    if (peak == 0) continue;
    const double rate =
        2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) / seconds[i];
    table.add({name, variants[i].name, "rate", 1e-12 * rate, "TOPS", "peak", rate / peak});
  }
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  samebits::benchmark::Table table(argc, argv);
  for (const int threads : {1, 2}) {
    samebits::benchmark::compare(table, 2048, 2048, 2048, threads, 7);
    for (const int rows : {1024, 128, 1}) {
      samebits::benchmark::compare(table, rows, 3072, 768, threads, rows == 1 ? 100 : 15);
      samebits::benchmark::compare(table, rows, 768, 3072, threads, rows == 1 ? 100 : 15);
    }
  }
}
