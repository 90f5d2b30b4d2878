// Fuzzes layouts: 4-bit codes and other programs' files, operands of the bfloat16 products, and what conv2d
// arranges before it multiplies.
#include "kernels/conv/depthwise.h"
#include "kernels/conv/pack_patches.h"
#include "kernels/conv/strided_rows.h"
#include "kernels/formats/int4_layouts.h"
#include "kernels/formats/pack_int4.h"
#include "kernels/matmul/gemm_bf16.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/matmul/pack_bf16.h"
#include "kernels/quantize/column_sums.h"
#include "tests/fuzz/fuzz_case.h"

namespace samebits::fuzz {
namespace {

/// Runs all entries of a list on copies of `empty`; `call(run, to)` makes one call.
template <class T, class Kernel, class Call>
void compare(const Kernel& kernel, const Block<T>& empty, Call call) {
  Block<T> expected(empty);
  call(kernel.reference().run, expected.data());
  for (const auto& entry : usable(kernel)) {
    Block<T> got(empty);
    call(entry.run, got.data());
    expect_same(std::string(kernel.name()) + " " + entry.name, got, expected);
  }
}

void fuzz_nibbles(Source& source) {
  const std::int64_t n = source.size(0, 140, 2000), offset = source.between(0, 9);
  const Block<std::int8_t> from = codes(source, n, -8, 7);
  const Block<std::uint8_t> empty(kernels::packed_int4_bytes(n), offset);
  compare(kernels::pack_int4, empty, [&](auto run, std::uint8_t* to) { run(from.data(), n, to); });
  Block<std::uint8_t> packed(empty);
  kernels::pack_int4(from.data(), n, packed.data());
  const Block<std::int8_t> no_codes(n, offset);
  compare(kernels::unpack_int4, no_codes, [&](auto run, std::int8_t* to) { run(packed.data(), n, to); });
  Block<std::int8_t> back(no_codes);
  kernels::unpack_int4(packed.data(), n, back.data());
  for (std::int64_t i = 0; i < n; ++i) expect(back[i] == from[i], "unpack_int4: round trip");
  kernels::unpack_uint4(packed.data(), n, back.data());
  for (std::int64_t i = 0; i < n; ++i) expect(back[i] == (from[i] & 15), "unpack_uint4: round trip");
}

void fuzz_files(Source& source) {
  const std::int64_t rows = source.between(1, 20), columns = source.between(1, 40);
  const Block<std::int8_t> from = codes(source, rows * columns, -8, 7);
  Block<std::int8_t> back(rows * columns);
  Block<std::int32_t> words(rows * kernels::compressed_tensors_words(columns));
  kernels::pack_compressed_tensors(from.data(), rows, columns, words.data());
  kernels::unpack_compressed_tensors(words.data(), rows, columns, back.data());
  for (std::int64_t i = 0; i < back.size(); ++i) expect(back[i] == from[i], "compressed_tensors: round trip");
  Block<std::int32_t> zero_words(kernels::compressed_tensors_words(rows) * columns);
  kernels::pack_compressed_tensors_zero_points(from.data(), rows, columns, zero_words.data());
  kernels::unpack_compressed_tensors_zero_points(zero_words.data(), rows, columns, back.data());
  for (std::int64_t i = 0; i < back.size(); ++i) expect(back[i] == from[i], "zero points: round trip");
}

/// Any packed bytes unpack; what unpacks with finite scales packs to codes and scales that are the same.
template <class Pack, class Unpack>
void fuzz_gguf(Source& source, std::int64_t block_bytes, Pack pack, Unpack unpack) {
  const std::int64_t blocks = source.between(1, 9);
  Block<std::uint8_t> packed(blocks * block_bytes, source.between(0, 3));
  for (std::int64_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<std::uint8_t>(source.word());
  Block<std::int8_t> first(blocks * kernels::kGgufBlock), second(blocks * kernels::kGgufBlock);
  Block<float> scale(blocks), scale_again(blocks);
  unpack(packed.data(), blocks, first.data(), scale.data());
  std::int64_t finite = 0;
  while (finite < blocks && std::isfinite(scale[finite])) ++finite;
  Block<std::uint8_t> again(packed);
  expect(pack(first.data(), scale.data(), blocks, again.data()) == finite,
         "gguf: the first scale without float16");
  expect_same("gguf: bytes", again, packed);
  unpack(again.data(), blocks, second.data(), scale_again.data());
  expect_same("gguf: codes", second, first);
}

void fuzz_gradient(Source& source) {
  const std::int64_t m = source.size(1, 70, 200), n = source.size(1, 70, 200);
  const Block<float> g = plain_floats(source, m * n, 1.0f), scales = plain_floats(source, n, 0.1f);
  const std::int64_t first = source.between(0, m) / kernels::kSumRows * kernels::kSumRows;
  const std::int64_t scale_count = source.between(0, 2) == 0 ? 1 : n;
  const float* scale = source.flag() ? scales.data() : nullptr;
  const Block<float> no_sums(kernels::sum_blocks(m) * n);
  compare(kernels::sum_columns, no_sums, [&](auto run, float* to) { run({g.data(), m, n, to}, first, m); });
  kernels::PackGradientArgs args{g.data(), m, n, scale, scale_count, nullptr, nullptr, nullptr};
  compare(kernels::pack_gradient, Block<kernels::Bf16>(kernels::packed_bf16_size(m, n)),
          [&](auto run, kernels::Bf16* to) {
            args.for_grad_x = to;
            run(args, first, m);
          });
  args.for_grad_x = nullptr;
  compare(kernels::pack_gradient, Block<kernels::Bf16>(kernels::packed_bf16_size(n, m)),
          [&](auto run, kernels::Bf16* to) {
            Block<float> sums(no_sums);
            args.for_grad_weight = to;
            args.block_sums = sums.data();
            run(args, first, m);
          });
}

void fuzz_codes(Source& source) {
  const std::int64_t depth = source.size(1, 70, 200), columns = source.size(1, 70, 200);
  const Block<std::int8_t> plain = codes(source, depth * columns);
  const std::int64_t group_size = source.flag() ? 4 * source.between(1, 20) : 0;
  const std::int64_t groups = group_size == 0 ? 1 : (columns + group_size - 1) / group_size;
  const Block<float> scale = plain_floats(source, groups * depth, 0.1f);
  const std::int64_t first = source.between(0, depth) / kernels::kBf16Block * kernels::kBf16Block;
  kernels::PackCodesArgs args{.codes = plain.data(),
                              .depth = depth,
                              .columns = columns,
                              .zero_point = source.drawn(-128, 127),
                              .scale = group_size == 0 ? nullptr : scale.data(),
                              .group_size = group_size,
                              .packed = nullptr};
  compare(kernels::pack_codes, Block<kernels::Bf16>(kernels::packed_bf16_size(columns, depth)),
          [&](auto run, kernels::Bf16* to) {
            args.packed = to;
            run(args, first, depth);
          });
}

/// What stands behind pixel n is compared too: contract and reference pack it.
void fuzz_patches(Source& source) {
  const std::int64_t n = source.size(1, 70, 300), depth = source.size(0, 20, 100),
                     reach = source.between(0, 60);
  const std::int64_t readable = reach + kernels::padded_pixels(n);
  const Block<std::int8_t> x = codes(source, readable);
  Block<std::uint8_t> inside(readable, source.between(0, 7));
  for (std::int64_t i = 0; i < readable; ++i) inside[i] = (source.word() & 1) != 0 ? 0xFF : 0;
  std::vector<kernels::PatchTap> taps;
  for (std::int64_t i = 0; i < depth; ++i)
    taps.push_back({source.drawn(0, static_cast<int>(reach)), source.drawn(0, static_cast<int>(reach))});
  const std::int64_t block_bytes = ((depth + 3) / 4 + source.between(0, 2)) * 64;
  const bool has_border = source.flag();
  kernels::PackPatchesArgs args{.x = x.data(),
                                .taps = taps,
                                .inside = has_border ? inside.data() : nullptr,
                                .border = static_cast<std::int8_t>(source.drawn(-128, 127)),
                                .packed = nullptr,
                                .block_bytes = block_bytes};
  compare(kernels::pack_patches,
          Block<std::int8_t>(kernels::padded_pixels(n) / 16 * block_bytes, source.between(0, 7)),
          [&](auto run, std::int8_t* to) {
            args.packed = to;
            run(args, n);
          });
}

/// Elements that count are compared: implementations may write behind rows.
void fuzz_rows(Source& source) {
  const std::int64_t n = source.size(1, 70, 300), rows = source.between(1, 4), stride = source.between(1, 5);
  const std::int64_t from_row = (n - 1) * stride + 1 + source.between(0, 3),
                     to_row = n + source.between(0, 3);
  const Block<std::int8_t> from = codes(source, (rows - 1) * from_row + (n - 1) * stride + 1);
  const auto call = [&](auto run) {
    Block<std::int8_t> to((rows - 1) * to_row + n + kernels::kStridedRowsSlack, 0);
    run({from.data(), from.data() + from.size(), from_row, stride, to.data(), to_row, n, rows});
    return to;
  };
  const auto& kernel = kernels::copy_strided_rows;
  const Block<std::int8_t> expected = call(kernel.reference().run);
  for (const auto& entry : usable(kernel)) {
    const Block<std::int8_t> got = call(entry.run);
    for (std::int64_t i = 0; i < rows * n; ++i)
      expect(got[i / n * to_row + i % n] == expected[i / n * to_row + i % n],
             std::string("copy_strided_rows ") + entry.name);
  }
  const Block<std::int16_t> empty((rows - 1) * to_row + n, source.between(0, 3));
  const std::int64_t codes_row = n + source.between(0, 3);
  const Block<std::int8_t> narrow = codes(source, (rows - 1) * codes_row + n);
  compare(kernels::widen_rows, empty, [&](auto run, std::int16_t* to) {
    run({narrow.data(), codes_row, to, to_row, n, rows});
  });
}

void fuzz_depthwise(Source& source) {
  const std::int64_t columns = source.size(1, 40, 200), rows = source.between(1, 5),
                     step = source.between(1, 2);
  const std::int64_t reach = source.between(0, 30), row_codes = source.between(1, 60);
  std::vector<kernels::TapPair> pairs;
  for (std::int64_t count = source.between(0, 13); count > 0; --count)
    pairs.push_back({source.drawn(0, static_cast<int>(reach)),
                     {static_cast<std::int16_t>(source.drawn(-128, 127)),
                      static_cast<std::int16_t>(source.drawn(-128, 127))}});
  Block<std::int16_t> x((rows - 1) * row_codes + step * columns + reach + 1 + kernels::kDepthwiseSlack);
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::int16_t>(source.drawn(-128, 127));
  const std::int64_t begin = source.between(0, rows - 1);
  const auto call = [&](auto run) {
    Block<std::int32_t> sums(rows * columns + kernels::kDepthwiseSlack);
    run({x.data(), row_codes, step, pairs, columns, sums.data()}, begin, rows);
    return sums;
  };
  const auto& kernel = kernels::depthwise_sums;
  const Block<std::int32_t> expected = call(kernel.reference().run);
  for (const auto& entry : usable(kernel)) {
    const Block<std::int32_t> got = call(entry.run);
    for (std::int64_t i = begin * columns; i < rows * columns; ++i)
      expect(got[i] == expected[i], std::string("depthwise_sums ") + entry.name);
  }
}

void fuzz(Source& source) {
  switch (source.between(0, 8)) {
    case 0:
      return fuzz_nibbles(source);
    case 1:
      return fuzz_files(source);
    case 2:
      return fuzz_gguf(source, kernels::kQ40Bytes, kernels::pack_q4_0, kernels::unpack_q4_0);
    case 3:
      return fuzz_gguf(source, kernels::kQ80Bytes, kernels::pack_q8_0, kernels::unpack_q8_0);
    case 4:
      return fuzz_gradient(source);
    case 5:
      return fuzz_codes(source);
    case 6:
      return fuzz_patches(source);
    case 7:
      return fuzz_rows(source);
    default:
      return fuzz_depthwise(source);
  }
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  samebits::fuzz::fuzz(source);
  return 0;
}
