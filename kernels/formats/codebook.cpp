// Codebooks are checked and their thresholds computed here, once; kernels only compare.
#include "kernels/formats/codebook.h"

#include <algorithm>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace samebits::kernels {
namespace {

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  std::ostringstream text;
  text << "[codebook] ";
  (text << ... << parts);
  throw std::invalid_argument(text.str());
}

void check_values(std::span<const float> values) {
  if (values.size() < 2 || values.size() > 16)
    refuse("values: expected 2 to 16 of them, got ", values.size(), "; 4 bits hold no more codes");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!isfinite(values[i]))
      refuse("values[", i, "]: expected a finite value, got ", values[i], "; remove it");
    if (i > 0 && !(values[i] > values[i - 1]))
      refuse("values[", i, "]: expected a value above values[", i - 1, "] = ", values[i - 1], ", got ",
             values[i], "; sort the values and keep each once");
  }
}

/// The smallest float32 at or above (`inclusive`), or above, the midpoint of a < b. Exact: the sum is carried
/// as a double and its rounding error, and the comparison of a float32 next to the midpoint with it rounds
/// nowhere.
float threshold_between(float a, float b, bool inclusive) {
  const double sum = double{a} + double{b};
  const double b_part = sum - double{a};
  const double error = (double{a} - (sum - b_part)) + (double{b} - b_part);  // sum + error == a + b
  float candidate = static_cast<float>(sum * 0.5);
  const double above_sum = 2.0 * double{candidate} - sum;  // exact: the two are neighbours
  const bool reached = inclusive ? above_sum >= error : above_sum > error;
  if (!reached) candidate = nextafterf(candidate, std::numeric_limits<float>::infinity());
  return candidate + 0.0f;
}

void check_bits(const char* name, int bits) {
  if (bits < 2 || bits > 4)
    refuse(name, ": expected bits in 2..4, got ", bits, "; wider codes have uniform grids");
}

/// Magnitudes and their negatives, 0 once, ascending.
std::vector<float> mirrored(const std::vector<float>& magnitudes) {
  std::vector<float> values = magnitudes;
  for (const float magnitude : magnitudes)
    if (magnitude != 0.0f) values.push_back(-magnitude);
  std::sort(values.begin(), values.end());
  return values;
}

/// The sums of one term of each set that make `bits` bits without a sign.
std::vector<float> additive_magnitudes(int bits) {
  struct Terms {
    std::vector<float> first, second;
  };
  const Terms terms_of_bits[] = {
      {{0.0f, 0x1p-1f}, {0.0f}},
      {{0.0f, 0x1p-1f, 0x1p-2f, 0x1p-3f}, {0.0f}},
      {{0.0f, 0x1p-1f, 0x1p-2f, 0x1p-4f}, {0.0f, 0x1p-3f}},
      {{0.0f, 0x1p-1f, 0x1p-3f, 0x1p-5f}, {0.0f, 0x1p-2f, 0x1p-4f, 0x1p-6f}},
  };
  const Terms& terms = terms_of_bits[bits - 1];
  std::vector<float> magnitudes;
  for (const float first : terms.first)
    for (const float second : terms.second) magnitudes.push_back(first + second);
  std::sort(magnitudes.begin(), magnitudes.end());
  return magnitudes;
}

}  // namespace

Codebook make_codebook(std::span<const float> values) {
  check_values(values);
  Codebook codebook{};
  codebook.size = static_cast<std::int32_t>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) codebook.values[i] = values[i] + 0.0f;  // -0 becomes +0
  for (std::size_t i = 0; i + 1 < values.size(); ++i)
    codebook.threshold[i] = threshold_between(values[i], values[i + 1], (i + 1) % 2 == 0);
  codebook.zero_code = codebook_code(0.0f, codebook);
  return codebook;
}

Codebook powers_of_two(int bits) {
  check_bits("powers_of_two", bits);
  std::vector<float> magnitudes = {0.0f};
  for (int i = 0; i <= (1 << (bits - 1)) - 2; ++i) magnitudes.push_back(ldexpf(1.0f, -i));
  return make_codebook(mirrored(magnitudes));
}

Codebook additive_powers_of_two(int bits, bool is_signed) {
  check_bits("additive_powers_of_two", bits);
  return make_codebook(is_signed ? mirrored(additive_magnitudes(bits - 1)) : additive_magnitudes(bits));
}

Codebook normal_float4() {
  constexpr float kValues[] = {-1.0f,
                               -0.6961928009986877f,
                               -0.5250730514526367f,
                               -0.39491748809814453f,
                               -0.28444138169288635f,
                               -0.18477343022823334f,
                               -0.09105003625154495f,
                               0.0f,
                               0.07958029955625534f,
                               0.16093020141124725f,
                               0.24611230194568634f,
                               0.33791524171829224f,
                               0.44070982933044434f,
                               0.5626170039176941f,
                               0.7229568362236023f,
                               1.0f};
  return make_codebook(kValues);
}

float codebook_scale(const Codebook& codebook, float min, float max) {
  float scale = 0.0f;
  if (min < 0.0f && codebook.first() < 0.0f) scale = min / codebook.first();
  if (max > 0.0f && codebook.last() > 0.0f) scale = std::max(scale, max / codebook.last());
  if (scale == 0.0f) return 1.0f;
  return std::clamp(scale, kMinScale, std::numeric_limits<float>::max());
}

}  // namespace samebits::kernels
