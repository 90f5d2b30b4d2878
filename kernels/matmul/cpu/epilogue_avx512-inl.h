// kernels/matmul/gemm_int8.h's epilogue on 16 sums in an AVX-512 register: what amx.cpp and avx512_vnni.cpp
// share. Included by those files, which foreach_target compiles.
#if defined(SAMEBITS_GEMM_EPILOGUE_AVX512_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_GEMM_EPILOGUE_AVX512_INL_H
#undef SAMEBITS_GEMM_EPILOGUE_AVX512_INL_H
#else
#define SAMEBITS_GEMM_EPILOGUE_AVX512_INL_H
#endif

#include <cmath>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/common/cpu/affine-inl.h"
#include "kernels/matmul/gemm_int8.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// The terms of 16 neighbouring columns. Columns from `count` on are in no lane.
struct VectorTerms {
  __m512i correction;  // where channels are rows: of the columns alone, 0 or what an implementation adds
  __m512 scale, bias;  // bias: -0 where there is none: adding it changes no value, -0 included
  __mmask16 lanes;
};

HWY_INLINE __mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1u << count) - 1u);
}

/// Four neighbouring blocks of 16 columns.
using WideTerms = VectorTerms[4];

/// Bounds within which values and quotients stay finite, with codes' grids from kLeastWideGrid on: |y| < 2^96
/// and |y / grid.scale| < 2^126 (docs/numerics.md §3).
constexpr float kWideScale = 0x1p64f, kWideBias = 0x1p95f, kLeastWideGrid = 0x1p-30f;

/// What becomes of sums, for one call. The output's kind is known at compile time, the rest costs less than a
/// branch.
template <GemmOutput Output, bool ChannelsAreRows>
class Epilogue {
 public:
  explicit Epilogue(const GemmInt8Args& args)
      : args_(args),
        grid_(vector_grid(args.epilogue.grid)),
        lowest_(_mm512_set1_ps(args.epilogue.relu ? 0.0f : -std::numeric_limits<float>::infinity())),
        has_bias_(args.epilogue.terms.bias != nullptr),
        is_wide_grid_(grid_.corrects && args.epilogue.grid.scale >= kLeastWideGrid) {
    if (args.epilogue.relu) static_cast<LaneGrid&>(grid_) = without_negatives(grid_);
  }

  VectorTerms terms(std::int64_t group, std::int64_t column, std::int64_t count) const {
    VectorTerms terms{_mm512_setzero_si512(), _mm512_setzero_ps(), no_bias(), first_lanes(count)};
    if constexpr (ChannelsAreRows) return terms;
    const ChannelTerms& from = args_.epilogue.terms;
    terms.correction = _mm512_maskz_loadu_epi32(terms.lanes, from.correction + group * args_.n + column);
    terms.scale = _mm512_maskz_loadu_ps(terms.lanes, from.scale + group * args_.n + column);
    terms.bias = bias(column, count);
    return terms;
  }
  __m512 bias(std::int64_t column, std::int64_t count) const {
    return has_bias_ ? _mm512_mask_loadu_ps(no_bias(), first_lanes(count), args_.epilogue.terms.bias + column)
                     : no_bias();
  }

  /// float(sum - correction) * scale.
  static __m512 scaled(__m512i sums, __m512i correction, __m512 scale) {
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(sums, correction)), scale);
  }

  /// Sums that are not in groups.
  void store(std::int64_t row, std::int64_t column, __m512i sums, const VectorTerms& terms) {
    if constexpr (ChannelsAreRows) {
      const ChannelTerms& from = args_.epilogue.terms;
      const __m512 bias = has_bias_ ? _mm512_set1_ps(from.bias[row]) : no_bias();
      const __m512i correction = _mm512_add_epi32(terms.correction, _mm512_set1_epi32(from.correction[row]));
      const __m512 y = scaled(sums, correction, _mm512_set1_ps(from.scale[row]));
      store_value(row, column, _mm512_add_ps(y, bias), terms.lanes);
    } else {
      const __m512 y = scaled(sums, terms.correction, terms.scale);
      store_value(row, column, _mm512_add_ps(y, terms.bias), terms.lanes);
    }
  }

  /// Whether store_wide() takes 64 columns of these terms: all there, and for codes such that no value is NaN
  /// or infinite.
  bool is_wide(const WideTerms& terms) const {
    bool is_wide = Output == GemmOutput::kFloat || is_wide_grid_;
    for (const VectorTerms& block : terms) {
      is_wide = is_wide && block.lanes == 0xFFFF;
      if constexpr (Output == GemmOutput::kCodes && !ChannelsAreRows)
        is_wide = is_wide && are_below(block.scale, kWideScale) && are_below(block.bias, kWideBias);
    }
    return is_wide;
  }

  /// Whether store_wide() writes floats past the caches, as streams_output() says.
  void set_streams(bool streams) { streams_ = streams; }

  /// 64 sums of a row in memory, aligned, by terms that are wide.
  HWY_INLINE void store_wide(std::int64_t row, std::int64_t column, const std::int32_t* sums,
                             const WideTerms& terms) {
    if constexpr (ChannelsAreRows && Output == GemmOutput::kCodes) {
      const ChannelTerms& from = args_.epilogue.terms;
      if (!(std::abs(from.scale[row]) < kWideScale) ||
          (has_bias_ && !(std::abs(from.bias[row]) < kWideBias))) {
        for (int block = 0; block < 4; ++block)
          store(row, column + block * kColumnBlock, _mm512_load_si512(sums + block * kColumnBlock),
                terms[block]);
        return;
      }
    }
    if constexpr (Output == GemmOutput::kFloat) {
      float* to = at<float>(row, column);
      for (int block = 0; block < 4; ++block) {
        const __m512 y = _mm512_max_ps(lowest_, value(row, sums + block * kColumnBlock, terms[block]));
        if (streams_)
          _mm512_stream_ps(to + block * kColumnBlock, y);
        else
          _mm512_storeu_ps(to + block * kColumnBlock, y);
      }
    } else {
      const __m512i low =
          _mm512_packs_epi32(wide_codes(row, sums, terms[0]), wide_codes(row, sums + kColumnBlock, terms[1]));
      const __m512i high = _mm512_packs_epi32(wide_codes(row, sums + 2 * kColumnBlock, terms[2]),
                                              wide_codes(row, sums + 3 * kColumnBlock, terms[3]));
      // Every 128 bits hold four codes of each block.
      const __m512i blocks = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      _mm512_storeu_si512(at<std::int8_t>(row, column),
                          _mm512_permutexvar_epi32(blocks, _mm512_packs_epi16(low, high)));
    }
  }

  /// Totals over groups.
  void store_total(std::int64_t row, std::int64_t column, __m512 total, __m512 bias, __mmask16 lanes) {
    const __m512 y = _mm512_mul_ps(total, _mm512_set1_ps(args_.x_scale));
    store_value(row, column, _mm512_add_ps(y, bias), lanes);
  }

  /// Asks for the cache lines that store() will write in `count` columns, for writing.
  void prefetch(std::int64_t row, std::int64_t column, std::int64_t count) const {
    using Element = std::conditional_t<Output == GemmOutput::kCodes, std::int8_t, float>;
    for (std::int64_t i = 0; i < count; i += 64 / static_cast<std::int64_t>(sizeof(Element)))
      __builtin_prefetch(at<Element>(row, column + i), 1, 3);
  }

  bool saw_nan() const { return nans_ != 0; }
  void merge_nans(const Epilogue& copy) { nans_ |= copy.nans_; }

 private:
  template <class T>
  T* at(std::int64_t row, std::int64_t column) const {
    return static_cast<T*>(args_.output) + row * args_.output_stride + column;
  }
  static __m512 no_bias() { return _mm512_set1_ps(-0.0f); }
  static bool are_below(__m512 values, float bound) {
    return _mm512_cmp_ps_mask(_mm512_abs_ps(values), _mm512_set1_ps(bound), _CMP_LT_OQ) == 0xFFFF;
  }

  /// y before the relu.
  HWY_INLINE __m512 value(std::int64_t row, const std::int32_t* sums, const VectorTerms& terms) const {
    const __m512i exact = _mm512_sub_epi32(_mm512_load_si512(sums), terms.correction);
    if constexpr (ChannelsAreRows) {
      const ChannelTerms& from = args_.epilogue.terms;
      const __m512 y =
          scaled(exact, _mm512_set1_epi32(from.correction[row]), _mm512_set1_ps(from.scale[row]));
      return _mm512_add_ps(y, has_bias_ ? _mm512_set1_ps(from.bias[row]) : no_bias());
    } else {
      return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(exact), terms.scale), terms.bias);
    }
  }

  /// Codes as int32, of sums whose terms are wide.
  HWY_INLINE __m512i wide_codes(std::int64_t row, const std::int32_t* sums, const VectorTerms& terms) const {
    const BlockFloats y{value(row, sums, terms)};
    const Rounded rounded = round_to_grid(grid_.correction.finite_quotient(y, grid_.scale), grid_);
    return _mm512_add_epi32(_mm512_castps_si512(rounded.units.raw),
                            _mm512_sub_epi32(grid_.zero_point.raw, _mm512_set1_epi32(kUnitsBits)));
  }

  void store_value(std::int64_t row, std::int64_t column, __m512 y, __mmask16 lanes) {
    if constexpr (Output == GemmOutput::kFloat) {
      // The second operand is the result where it is NaN or both are zeros: -0 stays.
      _mm512_mask_storeu_ps(at<float>(row, column), lanes, _mm512_max_ps(lowest_, y));
    } else {
      const Rounded rounded = round_to_grid(grid_.quotient(BlockFloats{y}), grid_);
      nans_ |= static_cast<unsigned>(lanes) & ~static_cast<unsigned>(rounded.ordered.raw);
      const __m128i codes = _mm512_cvtepi32_epi8(codes_of(rounded, grid_).raw);
      _mm_mask_storeu_epi8(at<std::int8_t>(row, column), lanes, codes);
    }
  }

  const GemmInt8Args args_;
  VectorGrid<CorrectionOrDivision> grid_;
  __m512 lowest_;
  bool has_bias_, is_wide_grid_, streams_ = false;
  unsigned nans_ = 0;
};

/// Runs Gemm<the epilogue of this call>(args, region). Each file has a Gemm of its own name: GCC 12 gives
/// this function one symbol for classes of equal names in unnamed namespaces.
template <template <class> class Gemm>
bool run_with_epilogue(const GemmInt8Args& args, const GemmRegion& region) {
  const bool rows = args.epilogue.channels_are_rows;
  if (args.epilogue.output == GemmOutput::kFloat)
    return rows ? Gemm<Epilogue<GemmOutput::kFloat, true>>(args, region).run()
                : Gemm<Epilogue<GemmOutput::kFloat, false>>(args, region).run();
  return rows ? Gemm<Epilogue<GemmOutput::kCodes, true>>(args, region).run()
              : Gemm<Epilogue<GemmOutput::kCodes, false>>(args, region).run();
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
#endif
