// The functions of kernels/float/function.h, each written once over `Ops` (scalar_ops.h): every operation and
// its order is the contract (docs/numerics.md §13). Included inside the namespace of each instruction set, of
// the plain loops and of the device, so it has no guard and includes nothing.

template <class Ops>
struct Formulas {
  using Float = typename Ops::Float;

  SAMEBITS_INLINE static Float k(float value) { return Ops::set(value); }
  /// y, or the one NaN where `judged` is no number.
  SAMEBITS_INLINE static Float number_or_nan(Float judged, Float y) {
    return Ops::select(Ops::is_number(judged), y, k(float_of_bits(kNanBits)));
  }
  /// The polynomial with the highest coefficient first, by fused Horner steps.
  SAMEBITS_INLINE static Float horner(Float, Float y) { return y; }
  template <class... Rest>
  SAMEBITS_INLINE static Float horner(Float x, Float y, float next, Rest... rest) {
    return horner(x, Ops::fma(y, x, k(next)), rest...);
  }

  /// 1.5 * 2^23: its sum with v has rint(v) in its lowest bits. Biased, these are fields of exponents.
  static constexpr float kRound = 12582912.0f, kRoundBias = kRound + 127, kRoundTwoBiases = kRound + 254;
  /// The upper bits of log 2, few enough that products with integers of 8 bits are exact, and the rest.
  static constexpr float kLog2High = 0x1.62e4p-1f, kLog2Low = 0x1.7f7d1cp-20f;
  static constexpr float kExpZero = -104.0f;  // e^z rounds to 0 from here down
  static constexpr float kInfinity = __builtin_huge_valf();

  /// z - n log 2 for n = rint(z / log 2), which `sum` holds added to `round`.
  SAMEBITS_INLINE static Float reduce(Float z, float round, Float& sum) {
    sum = Ops::fma(z, k(0x1.715476p+0f), k(round));
    const Float n = Ops::sub(sum, k(round));
    return Ops::nfma(n, k(kLog2Low), Ops::nfma(n, k(kLog2High), z));
  }
  /// (e^r - 1 - r) / r^2 for |r| <= log(2) / 2.
  SAMEBITS_INLINE static Float exp_quotient(Float r) {
    return horner(r, k(0x1.6b77f4p-10f), 0x1.12267cp-7f, 0x1.555712p-5f, 0x1.5554b2p-3f, 0x1.fffffep-2f);
  }
  /// e^z for |z| <= 105. Of the two powers of two only the last can round, where the result is denormal.
  SAMEBITS_INLINE static Float exponential(Float z) {
    Float sum, power, rest;
    const Float r = reduce(z, kRoundTwoBiases, sum);
    Ops::split_exponent(sum, power, rest);
    return Ops::mul(Ops::mul(horner(r, exp_quotient(r), 1.0f, 1.0f), power), rest);
  }
  SAMEBITS_INLINE static Float exp(Float x) {
    return number_or_nan(x, exponential(Ops::max(Ops::min(x, k(89.0f)), k(kExpZero))));
  }

  /// log x = n log 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); f and n log 2's upper part are exact.
  SAMEBITS_INLINE static Float log(Float x) {
    const auto is_small = Ops::less(x, k(0x1p-126f));
    Float n;
    const Float f =
        Ops::sub(Ops::significand(Ops::select(is_small, Ops::mul(x, k(0x1p+23f)), x), n), k(1.0f));
    n = Ops::select(is_small, Ops::sub(n, k(23.0f)), n);
    const Float square = Ops::mul(f, f);
    const Float q = horner(f, k(-0x1.38c346p-4f), 0x1.055d1ep-3f, -0x1.0d829ep-3f, 0x1.22d968p-3f,
                           -0x1.547288p-3f, 0x1.99a01ap-3f, -0x1.000226p-2f, 0x1.555554p-2f);
    const Float tail = Ops::fma(Ops::mul(square, f), q, Ops::mul(square, k(-0.5f)));
    const Float low = Ops::fma(n, k(kLog2Low), tail);
    const Float y = Ops::fma(n, k(kLog2High), Ops::add(f, low));
    const Float nan = k(float_of_bits(kNanBits));
    const Float of_zero = Ops::select(Ops::less(x, k(0.0f)), nan, k(-kInfinity));
    const Float of_positive = Ops::select(Ops::less(x, k(kInfinity)), y, k(kInfinity));
    return number_or_nan(x, Ops::select(Ops::less(k(0.0f), x), of_positive, of_zero));
  }

  /// h / (1 + h) for h = expm1(2|x|) / 2. With m = min(h, 1) it is m - m (m / (1 + h)), which damps what the
  /// quotient rounds. Small x keep their relative accuracy, denormals included.
  SAMEBITS_INLINE static Float tanh(Float x) {
    const Float magnitude = Ops::min(Ops::abs(x), k(9.1f));
    Float sum;
    const Float r = reduce(Ops::add(magnitude, magnitude), kRoundBias - 1, sum);
    const Float half_power = Ops::exponent(sum);
    const Float expm1 = Ops::fma(Ops::mul(r, r), exp_quotient(r), r);
    const Float h = Ops::fma(half_power, expm1, Ops::sub(half_power, k(0.5f)));
    const Float m = Ops::min(h, k(1.0f));
    const Float y = Ops::nfma(m, Ops::div(m, Ops::add(k(1.0f), h)), m);
    return number_or_nan(x, Ops::with_sign(y, x));
  }

  /// With e = exp(-|x|) and t = e / (1 + e): 1 - t, and e - e t for negative x. Both ends keep their relative
  /// accuracy.
  SAMEBITS_INLINE static Float sigmoid_of_number(Float x) {
    const Float e = exponential(Ops::max(Ops::sub(k(0.0f), Ops::abs(x)), k(kExpZero)));
    const Float m = Ops::select(Ops::less(x, k(0.0f)), e, k(1.0f));
    return Ops::nfma(m, Ops::div(e, Ops::add(k(1.0f), e)), m);
  }
  SAMEBITS_INLINE static Float sigmoid(Float x) { return number_or_nan(x, sigmoid_of_number(x)); }
  SAMEBITS_INLINE static Float silu(Float x) {
    const Float y = Ops::mul(x, sigmoid_of_number(x));
    return number_or_nan(y, y);
  }

  /// x + x P(x^2) below 0.9; above, 1 - exp(Q(|x|)) where Q approximates log(erfc).
  SAMEBITS_INLINE static Float erf(Float x) {
    const Float magnitude = Ops::min(Ops::abs(x), k(4.0f)), square = Ops::mul(magnitude, magnitude);
    const Float p = horner(square, k(-0x1.3ed096p-11f), 0x1.485414p-8f, -0x1.b6b806p-6f, 0x1.ce1d3cp-4f,
                           -0x1.8126f4p-2f, 0x1.06eba6p-3f);
    const Float q = horner(magnitude, k(-0x1.4aac98p-10f), 0x1.0074dap-6f, -0x1.760fccp-4f, -0x1.4d081ep-1f,
                           -0x1.1ed272p+0f, -0x1.dda36cp-10f);
    const Float far = Ops::sub(k(1.0f), exponential(q));
    const Float near = Ops::fma(magnitude, p, magnitude);
    return number_or_nan(x, Ops::with_sign(Ops::select(Ops::less(magnitude, k(0.9f)), near, far), x));
  }

  /// x Phi(x) = max(x, 0) - a Phi(-a) with a = |x| and Phi(-a) = exp(-a^2 / 2) N(a) / D(a): accurate in both
  /// tails, unlike 0.5 x (1 + erf(x / sqrt 2)). The square of a enters the exponential unrounded.
  SAMEBITS_INLINE static Float gelu(Float x) {
    const Float a = Ops::min(Ops::abs(x), k(14.5f));
    const Float sum = Ops::fma(Ops::mul(a, a), k(-0x1.715476p-1f), k(kRoundTwoBiases));
    const Float n = Ops::sub(sum, k(kRoundTwoBiases));
    const Float high = Ops::fma(a, a, Ops::mul(n, k(2 * kLog2High)));  // the product is exact
    const Float r = Ops::fma(n, k(2 * kLog2Low), high);  // -2 times the r of exponential(-a^2 / 2), so:
    const Float significand = horner(r, k(0x1.6b77f4p-16f), -0x1.12267cp-12f, 0x1.555712p-9f, -0x1.5554b2p-6f,
                                     0x1.fffffep-4f, -0.5f, 1.0f);
    const Float numerator = horner(a, k(0x1.0dceccp-8f), 0x1.4ce79cp-5f, 0x1.774b4p-3f, 0x1.c0d56ap-2f, 0.5f);
    const Float denominator =
        horner(a, k(0x1.522668p-7f), 0x1.a142b6p-4f, 0x1.e0c676p-2f, 0x1.33db1p+0f, 0x1.acace6p+0f, 1.0f);
    const Float tail = Ops::mul(Ops::div(Ops::mul(a, numerator), denominator), significand);
    Float power, rest;
    Ops::split_exponent(sum, power, rest);
    // x, or -0 for negative x. Clang 14 would make a wrong maximum of a comparison with +0 that selects -0.
    const Float relu = Ops::select(Ops::less(x, a), k(-0.0f), x);
    const Float y = Ops::nfma(Ops::mul(tail, power), rest, relu);
    return number_or_nan(y, y);
  }
  /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) = x sigmoid(2 sqrt(2 / pi) (...)).
  SAMEBITS_INLINE static Float gelu_tanh(Float x) {
    const Float slope = Ops::fma(Ops::mul(x, x), k(0x1.2444f2p-4f), k(0x1.988454p+0f));
    const Float y = Ops::mul(x, sigmoid_of_number(Ops::mul(x, slope)));
    return number_or_nan(y, y);
  }

  /// e^z - 1 for z <= 0, with the sign of z.
  SAMEBITS_INLINE static Float expm1_of_negative(Float z) {
    Float sum;
    const Float r = reduce(Ops::max(z, k(-25.0f)), kRoundBias, sum), power = Ops::exponent(sum);
    const Float expm1 = Ops::fma(Ops::mul(r, r), exp_quotient(r), r);
    return Ops::with_sign(Ops::abs(Ops::fma(power, expm1, Ops::sub(power, k(1.0f)))), z);
  }
  /// `scales`: of negative inputs, of the results for them (alpha times scale), of positive inputs.
  SAMEBITS_INLINE static Float elu(Float x, const Float (&scales)[3]) {
    const Float z = Ops::mul(x, scales[0]);
    const Float below = Ops::mul(expm1_of_negative(z), scales[1]);
    return number_or_nan(x, Ops::select(Ops::less(k(0.0f), x), Ops::mul(x, scales[2]), below));
  }
  SAMEBITS_INLINE static Float leaky_relu(Float x, const Float (&scales)[3]) {
    const Float y = Ops::select(Ops::less(x, k(0.0f)), Ops::mul(x, scales[0]), x);
    return number_or_nan(y, y);
  }

  SAMEBITS_INLINE static Float six_units(Float x) {
    return Ops::min(Ops::max(Ops::add(x, k(3.0f)), k(0.0f)), k(6.0f));
  }
  SAMEBITS_INLINE static Float hardsigmoid(Float x) {
    return number_or_nan(x, Ops::div(six_units(x), k(6.0f)));
  }
  SAMEBITS_INLINE static Float hardswish(Float x) {
    const Float y = Ops::div(Ops::mul(x, six_units(x)), k(6.0f));
    return number_or_nan(y, y);
  }

  SAMEBITS_INLINE static Float sqrt(Float x) {
    const Float y = Ops::sqrt(x);
    return number_or_nan(y, y);
  }
  SAMEBITS_INLINE static Float rsqrt(Float x) {
    const Float y = Ops::div(k(1.0f), Ops::sqrt(x));
    return number_or_nan(y, y);
  }

  /// The function of that name; `scales` are FunctionArgs::scales.
  template <Function kFunction>
  SAMEBITS_INLINE static Float apply(Float x, const Float (&scales)[3]) {
    if constexpr (kFunction == Function::kExp) return exp(x);
    if constexpr (kFunction == Function::kLog) return log(x);
    if constexpr (kFunction == Function::kTanh) return tanh(x);
    if constexpr (kFunction == Function::kSigmoid) return sigmoid(x);
    if constexpr (kFunction == Function::kErf) return erf(x);
    if constexpr (kFunction == Function::kSilu) return silu(x);
    if constexpr (kFunction == Function::kGelu) return gelu(x);
    if constexpr (kFunction == Function::kGeluTanh) return gelu_tanh(x);
    if constexpr (kFunction == Function::kElu) return elu(x, scales);
    if constexpr (kFunction == Function::kLeakyRelu) return leaky_relu(x, scales);
    if constexpr (kFunction == Function::kHardsigmoid) return hardsigmoid(x);
    if constexpr (kFunction == Function::kHardswish) return hardswish(x);
    if constexpr (kFunction == Function::kSqrt) return sqrt(x);
    if constexpr (kFunction == Function::kRsqrt) return rsqrt(x);
  }
};
