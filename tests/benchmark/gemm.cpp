// INT8 products with their fused epilogues: every implementation of gemm_int8, at::_int_mm and the float32
// at::mm of the same shape side by side, and each implementation's share of what its instruction can do. Then
// bfloat16 products at the shapes of a backward pass, beside LibTorch's of the same operands.
#include "kernels/matmul/gemm_int8.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <string>

#include "kernels/common/aligned_vector.h"
#include "kernels/matmul/gemm_bf16.h"
#include "tests/benchmark/instruction_peak.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using Entry = decltype(kernels::gemm_int8)::Entry;

/// Operands of one product, in every form that a contender wants.
struct Product {
  std::int64_t m, n, k;
  at::Tensor a, b, sums, float_a, float_b, float_y;
  kernels::AlignedVector<std::int8_t> packed;
  std::vector<std::int32_t> correction, b_sums;
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
    const at::Tensor column_sums = b.sum(1, /*keepdim=*/false, at::kInt);
    b_sums.assign(column_sums.const_data_ptr<std::int32_t>(), column_sums.const_data_ptr<std::int32_t>() + n);
  }

  kernels::GemmInt8Args args(kernels::GemmOutput output) {
    kernels::GemmInt8Args args{.a = a.const_data_ptr<std::int8_t>(),
                               .a_stride = k,
                               .b = packed.data(),
                               .b_sums = b_sums.data(),
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

std::string case_name(std::int64_t m, std::int64_t n, std::int64_t k, int threads) {
  return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + ", " +
         std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

/// The contenders of one shape. `instructions` names the implementation of each, to find its peak; "" for
/// none.
struct Contest {
  std::string name;
  int threads;
  double operations;
  double (*peak_of)(const std::string&);
  std::vector<Variant> variants = {};
  std::vector<std::string> instructions = {};

  void add(const std::string& variant, std::function<void()> run, const std::string& instruction = "") {
    variants.push_back({variant, std::move(run)});
    instructions.push_back(instruction);
  }
  /// Adds the time of each variant, and its share of the peak.
  void run(Table& table, int rounds) const {
    const std::vector<double> seconds = interleaved_minimum(variants, rounds);
    for (std::size_t i = 0; i < variants.size(); ++i) {
      table.add({name, variants[i].name, "time", 1e3 * seconds[i], "ms", "at::mm", seconds[i] / seconds[0]});
      const double peak = peak_of(instructions[i]) * threads, rate = operations / seconds[i];
      if (peak > 0) table.add({name, variants[i].name, "rate", 1e-12 * rate, "TOPS", "peak", rate / peak});
    }
  }
};

double operations_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

/// Runs `run` for as many parts as threads, in parallel.
template <class Run>
void in_parts(int threads, const Run& run) {
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) run(part);
  });
}

void compare(Table& table, std::int64_t m, std::int64_t n, std::int64_t k, int threads, int rounds) {
  at::set_num_threads(threads);
  Product product(m, n, k);
  Contest contest{case_name(m, n, k, threads), threads, operations_of(m, n, k), int8_peak};
  contest.add("at::mm", [&] { at::mm_out(product.float_y, product.float_a, product.float_b.t()); });
  // at::_int_mm refuses fewer than 17 rows.
  if (m > 16) contest.add("at::_int_mm", [&] { at::_int_mm_out(product.sums, product.a, product.b.t()); });
  for (const Entry& entry : kernels::gemm_int8.implementations()) {
    if (!entry.why_not().empty() || std::string(entry.name) == "reference") continue;
    for (const auto output : {kernels::GemmOutput::kFloat, kernels::GemmOutput::kCodes}) {
      const char* suffix = output == kernels::GemmOutput::kCodes ? " int8 out" : " float out";
      contest.add(
          entry.name + std::string(suffix),
          [&entry, args = product.args(output), m, n, threads] {
            in_parts(threads,
                     [&](std::int64_t part) { entry.run(args, kernels::gemm_region(m, n, part, threads)); });
          },
          entry.name);
    }
  }
  contest.run(table, rounds);
}

/// bfloat16 operands of one product, packed and as LibTorch takes them.
struct Bf16Product {
  at::Tensor a, b, y, float_y;
  kernels::AlignedVector<kernels::Bf16> packed_a, packed_b;

  Bf16Product(std::int64_t m, std::int64_t n, std::int64_t k)
      : a(at::randn({m, k}, at::kBFloat16)),
        b(at::randn({k, n}, at::kBFloat16)),
        y(at::empty({m, n}, at::kBFloat16)),
        float_y(at::empty({m, n})),
        packed_a(kernels::packed_bf16_size(m, k)),
        packed_b(kernels::packed_bf16_size(n, k)) {
    const auto* a_bits = static_cast<const kernels::Bf16*>(a.const_data_ptr());
    const auto* b_bits = static_cast<const kernels::Bf16*>(b.const_data_ptr());
    for (std::int64_t i = 0; i < m * k; ++i)
      packed_a[kernels::packed_bf16_a_index(i / k, i % k, k)] = a_bits[i];
    for (std::int64_t i = 0; i < k * n; ++i)
      packed_b[kernels::packed_bf16_b_index(i / n, i % n, k)] = b_bits[i];
  }
};

void compare_bf16(Table& table, std::int64_t m, std::int64_t n, std::int64_t k, int threads, int rounds) {
  at::set_num_threads(threads);
  Bf16Product product(m, n, k);
  const kernels::GemmBf16Args args{.a = product.packed_a.data(),
                                   .b = product.packed_b.data(),
                                   .rows = m,
                                   .columns = n,
                                   .depth = k,
                                   .output = product.float_y.mutable_data_ptr<float>(),
                                   .output_stride = n};
  Contest contest{"bf16 " + case_name(m, n, k, threads), threads, operations_of(m, n, k), bf16_peak};
  contest.add("at::mm", [&] { at::mm_out(product.y, product.a, product.b); });
  for (const auto& entry : kernels::gemm_bf16.implementations()) {
    if (!entry.why_not().empty() || std::string(entry.name) == "reference") continue;
    contest.add(
        entry.name,
        [&entry, args, m, n, threads] {
          in_parts(threads, [&](std::int64_t part) {
            entry.run(args, kernels::gemm_bf16_region(m, n, part, threads));
          });
        },
        entry.name);
  }
  contest.run(table, rounds);
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
    // grad_x and grad_weight of the two layers of the feed-forward network.
    samebits::benchmark::compare_bf16(table, 1024, 768, 3072, threads, 10);
    samebits::benchmark::compare_bf16(table, 1024, 3072, 768, threads, 10);
    samebits::benchmark::compare_bf16(table, 3072, 768, 1024, threads, 10);
    samebits::benchmark::compare_bf16(table, 768, 3072, 1024, threads, 10);
  }
}
