// 4-bit weights: W4A8 and weight-only products against sgemm and ATen's int8 product, matrix times vector
// against the bandwidth of reading memory, packing against a copy.
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <cstring>
#include <memory>
#include <numeric>

#include "kernels/matmul/gemm_int4.h"
#include "kernels/matmul/linear.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

std::string threads_text() {
  return std::to_string(at::get_num_threads()) + (at::get_num_threads() == 1 ? " thread" : " threads");
}

/// Random weights of one shape, packed; tensors align their memory to 64 bytes.
struct Weights {
  kernels::Int4Shape shape;
  torch::Tensor levels, scale;

  Weights(std::int64_t n, std::int64_t k, std::int64_t group_size)
      : shape{n, k, group_size},
        levels(torch::randint(256, {shape.packed_bytes()}, torch::kByte)),
        scale(torch::rand({shape.terms()})) {}
  kernels::PackedInt4 packed() const {
    return {shape, levels.const_data_ptr<std::uint8_t>(), scale.const_data_ptr<float>(), nullptr};
  }
  double bytes() const { return static_cast<double>(levels.nbytes() + scale.nbytes()); }
};

/// The same 4-bit codes in groups, stored in a byte each: what linear layers multiply.
struct WideWeights {
  kernels::PackedWeight packed;
  kernels::LayerTerms terms;

  WideWeights(std::int64_t n, std::int64_t k, std::int64_t group_size)
      : packed(kernels::allocate_packed_weight(kernels::WeightOrder::kGemm, n, k, group_size)) {
    const torch::Tensor codes = torch::randint(-8, 8, {n, k}, torch::kChar);
    const torch::Tensor scale = torch::rand({n * packed.groups()});
    kernels::pack_weight_rows(codes.const_data_ptr<std::int8_t>(), {scale.const_data_ptr<float>()}, 0, n,
                              packed);
    terms = kernels::layer_terms(packed, {.scale = 0.1f, .zero_point = 3}, nullptr);
  }
  double bytes() const { return static_cast<double>(packed.codes.size() + 4 * packed.scale.size()); }
};

/// Runs `product(row_begin, row_end, column_begin, column_end)` on all threads: many rows are cut by rows,
/// few by columns.
template <class Product>
void in_parallel(std::int64_t m, std::int64_t n, const Product& product) {
  const std::int64_t threads = at::get_num_threads(), block = kernels::Int4Shape::kColumns;
  if (m >= 32 * threads)
    at::parallel_for(0, m, (m + threads - 1) / threads,
                     [&](std::int64_t begin, std::int64_t end) { product(begin, end, std::int64_t{0}, n); });
  else
    at::parallel_for(0, n / block, (n / block + threads - 1) / threads,
                     [&](std::int64_t begin, std::int64_t end) {
                       product(std::int64_t{0}, m, begin * block, end * block);
                     });
}

/// Activations of both kinds, and y.
struct Activations {
  torch::Tensor codes, x, y;
  Activations(std::int64_t m, std::int64_t n, std::int64_t k)
      : codes(torch::randint(-128, 128, {m, k}, torch::kChar)),
        x(torch::randn({m, k})),
        y(torch::empty({m, n})) {}

  void multiply_codes(const Weights& weights) const {
    const std::int64_t m = y.size(0), n = y.size(1);
    const kernels::GemmInt4Args args{codes.const_data_ptr<std::int8_t>(),
                                     codes.size(1),
                                     0.1f,
                                     3,
                                     weights.packed(),
                                     {y.data_ptr<float>(), n}};
    in_parallel(m, n, [&](auto... part) { kernels::gemm_int4(args, part...); });
  }
  void multiply_codes(const WideWeights& weights) const {
    in_parallel(y.size(0), y.size(1),
                [&](std::int64_t row_begin, std::int64_t row_end, std::int64_t column_begin,
                    std::int64_t column_end) {
                  kernels::linear(weights.packed, weights.terms, codes.const_data_ptr<std::int8_t>(),
                                  y.data_ptr<float>(), {row_begin, row_end, column_begin, column_end});
                });
  }
  void multiply_floats(const Weights& weights) const {
    const std::int64_t m = y.size(0), n = y.size(1);
    const kernels::GemmFloatInt4Args args{x.const_data_ptr<float>(),
                                          kernels::FloatType::kFloat32,
                                          x.size(1),
                                          weights.packed(),
                                          {y.data_ptr<float>(), n}};
    in_parallel(m, n, [&](auto... part) { kernels::gemm_float_int4(args, part...); });
  }
};

void compare_products(Table& table, std::int64_t m, std::int64_t k, std::int64_t n) {
  const Activations a(m, n, k);
  const torch::Tensor float_weight = torch::randn({n, k}).t(),
                      int8_weight = torch::randint(-127, 128, {n, k}, torch::kChar).t();
  std::vector<Variant> variants = {{"sgemm", [&] { at::mm(a.x, float_weight); }},
                                   {"at::_int_mm", [&] { at::_int_mm(a.codes, int8_weight); }}};
  std::vector<std::unique_ptr<Weights>> weights;
  std::vector<std::unique_ptr<WideWeights>> wide_weights;
  for (const std::int64_t group_size : {0, 32, 64, 128}) {
    const Weights& w = *weights.emplace_back(std::make_unique<Weights>(n, k, group_size));
    const std::string groups = group_size == 0 ? "" : " g" + std::to_string(group_size);
    variants.push_back({"W4A8" + groups, [&] { a.multiply_codes(w); }});
    const WideWeights& wide = *wide_weights.emplace_back(std::make_unique<WideWeights>(n, k, group_size));
    variants.push_back({"a byte a code" + groups, [&] { a.multiply_codes(wide); }});
    if (group_size == 32) variants.push_back({"W4A32" + groups, [&] { a.multiply_floats(w); }});
  }
  const std::vector<double> seconds = interleaved_minimum(variants, 10);
  const std::string name =
      std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + ", " + threads_text();
  for (std::size_t i = 0; i < variants.size(); ++i)
    table.add({name, variants[i].name, "rate", 1e-9 * static_cast<double>(m * k * n) / seconds[i], "GMAC/s",
               "sgemm", seconds[0] / seconds[i]});
}

/// Reads every byte; returns something that depends on them.
std::uint64_t read_all(const torch::Tensor& bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(bytes.const_data_ptr<std::uint8_t>());
  return at::parallel_reduce(
      0, bytes.numel() / 8, bytes.numel() / 8 / at::get_num_threads(), std::uint64_t{0},
      [&](std::int64_t begin, std::int64_t end, std::uint64_t sum) {
        return std::reduce(words + begin, words + end, sum);
      },
      std::plus<>());
}

/// One row, as in generation. Enough copies of the weights that no cache keeps them.
void compare_generation(Table& table, std::int64_t k, std::int64_t n, std::int64_t group_size) {
  constexpr std::int64_t kBytes = std::int64_t{1} << 28;
  const Activations a(1, n, k);
  std::vector<Weights> weights;
  for (double bytes = 0; bytes < kBytes; bytes += weights.back().bytes())
    weights.emplace_back(n, k, group_size);
  std::vector<WideWeights> wide_weights;
  for (std::size_t i = 0; i < weights.size(); ++i) wide_weights.emplace_back(n, k, group_size);
  const torch::Tensor memory = torch::randint(256, {kBytes}, torch::kByte);
  volatile std::uint64_t sum = 0;
  const auto all = [&](auto multiply) {
    for (const Weights& w : weights) multiply(w);
  };
  const std::vector<Variant> variants = {
      {"read", [&] { sum = read_all(memory); }},
      {"W4A8", [&] { all([&](const Weights& w) { a.multiply_codes(w); }); }},
      {"W4A32", [&] { all([&](const Weights& w) { a.multiply_floats(w); }); }},
      {"a byte a code",
       [&] {
         for (const WideWeights& w : wide_weights) a.multiply_codes(w);
       }},
  };
  const std::vector<double> seconds = interleaved_minimum(variants, 5);
  const double bytes =
      weights[0].bytes() * static_cast<double>(weights.size());  // 4-bit: what all might read
  const double read = static_cast<double>(kBytes) / seconds[0];
  const std::string name = "1x" + std::to_string(k) + "x" + std::to_string(n) + " g" +
                           std::to_string(group_size) + ", " + threads_text();
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const double bandwidth = i == 0 ? read : bytes / seconds[i];
    table.add({name, variants[i].name, "bandwidth", 1e-9 * bandwidth, "GB/s", "read", bandwidth / read});
  }
}

void compare_packing(Table& table) {
  constexpr std::int64_t kCodes = 1 << 24;
  const torch::Tensor codes = torch::randint(-8, 8, {kCodes}, torch::kChar), back = torch::empty_like(codes);
  const torch::Tensor packed = torch::zeros({kernels::packed_int4_bytes(kCodes)}, torch::kByte);
  auto* bytes = packed.data_ptr<std::uint8_t>();
  const kernels::Int4Shape shape{4096, 4096, 32};
  const std::vector<Variant> variants = {
      {"copy", [&] { std::memcpy(back.data_ptr(), codes.const_data_ptr(), kCodes); }},
      {"pack_int4", [&] { kernels::pack_int4(codes.const_data_ptr<std::int8_t>(), kCodes, bytes); }},
      {"unpack_int4", [&] { kernels::unpack_int4(bytes, kCodes, back.data_ptr<std::int8_t>()); }},
      {"pack_gemm_int4",
       [&] { kernels::pack_gemm_int4(shape, codes.const_data_ptr<std::int8_t>(), -8, bytes, 0, shape.n); }},
  };
  const std::vector<double> seconds = interleaved_minimum(variants, 10);
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const double moved = static_cast<double>(kCodes) * (i == 0 ? 2.0 : 1.5);  // bytes read and written
    table.add({"16 Mi codes, 1 thread", variants[i].name, "bandwidth", 1e-9 * moved / seconds[i], "GB/s",
               "copy", moved / seconds[i] / (2.0 * kCodes / seconds[0])});
  }
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  using namespace samebits::benchmark;
  const torch::NoGradGuard no_grad;
  Table table(argc, argv);
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    compare_products(table, 1024, 768, 3072);
    compare_products(table, 1024, 3072, 768);
    for (const int group_size : {32, 128}) {
      compare_generation(table, 4096, 4096, group_size);
      compare_generation(table, 3072, 768, group_size);
    }
  }
  compare_packing(table);
}
