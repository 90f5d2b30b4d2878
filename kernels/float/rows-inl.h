// Functions of rows over `Ops`, whose vectors have kLanes lanes: of the CPU, or the threads of a warp. In the
// order of kernels/float/row_sum.h. Included as formulas-inl.h is.

/// Rows whose elements lie behind one another: lanes are elements.
template <class Ops>
struct Rows {
  using Float = typename Ops::Float;
  using Formula = Formulas<Ops>;
  static constexpr int kLanes = Ops::kLanes, kVectors = kRowLanes / kLanes;

  SAMEBITS_INLINE static int lanes_left(std::int64_t left) {
    return left < kLanes ? static_cast<int>(left) : kLanes;
  }
  /// body(first element, count) for each vector of n elements.
  template <class Body>
  SAMEBITS_INLINE static void map(std::int64_t n, Body body) {
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
    if (i < n) body(i, lanes_left(n - i));
  }
  /// lane = body(lane, first element, count) for each vector of [begin, end), which starts at lane 0.
  template <class Body>
  SAMEBITS_INLINE static void for_lanes(Float* lanes, std::int64_t begin, std::int64_t end, Body body) {
    std::int64_t i = begin;
    for (; i + kRowLanes <= end; i += kRowLanes) {
      SAMEBITS_UNROLL
      for (int v = 0; v < kVectors; ++v) lanes[v] = body(lanes[v], i + v * kLanes, kLanes);
    }
    SAMEBITS_UNROLL  // so that lanes stay in registers
        for (int v = 0; v < kVectors; ++v) if (i + v * kLanes < end) lanes[v] =
            body(lanes[v], i + v * kLanes, lanes_left(end - i - v * kLanes));
  }
  template <class Join>
  SAMEBITS_INLINE static float fold(Float* lanes, Join join) {
    SAMEBITS_UNROLL
    for (int half = kVectors / 2; half > 0; half /= 2) {
      SAMEBITS_UNROLL
      for (int v = 0; v < half; ++v) lanes[v] = join(lanes[v], lanes[v + half]);
    }
    return Ops::fold(lanes[0], join);
  }
  SAMEBITS_INLINE static void clear(Float* lanes, float value) {
    SAMEBITS_UNROLL
    for (int v = 0; v < kVectors; ++v) lanes[v] = Ops::set(value);
  }
  template <class Body>
  SAMEBITS_INLINE static float sum(std::int64_t n, Body body) {
    Float total[kVectors], lanes[kVectors];
    clear(total, 0.0f);
    for_lanes(total, 0, n < kRowChunk ? n : kRowChunk, body);
    for (std::int64_t begin = kRowChunk; begin < n; begin += kRowChunk) {
      clear(lanes, 0.0f);
      for_lanes(lanes, begin, n - begin < kRowChunk ? n : begin + kRowChunk, body);
      SAMEBITS_UNROLL
      for (int v = 0; v < kVectors; ++v) total[v] = Ops::add(total[v], lanes[v]);
    }
    return fold(total, [](auto a, auto b) { return Ops::add(a, b); });
  }
  /// Any order gives the same number. A NaN may be lost or not, and of two zeros it is either.
  SAMEBITS_INLINE static float max(const float* x, std::int64_t n) {
    Float lanes[kVectors];
    clear(lanes, -Formula::kInfinity);
    for_lanes(lanes, 0, n, [&](Float lane, std::int64_t i, int count) {
      return Ops::max(lane, Ops::load(x + i, count, -Formula::kInfinity));
    });
    return fold(lanes, [](auto a, auto b) { return Ops::max(a, b); });
  }

  template <bool kLog>
  SAMEBITS_INLINE static void softmax(const float* x, float* y, std::int64_t n) {
    const Float largest = Ops::set(max(x, n));
    const float total = sum(n, [&](Float lane, std::int64_t i, int count) {
      const Float e = Formula::exp(Ops::sub(Ops::load(x + i, count, -Formula::kInfinity), largest));
      if (!kLog) Ops::store(e, y + i, count);
      return Ops::add(lane, e);
    });
    const Float divisor = Ops::set(total);
    const Float log_total = Ops::set(kLog ? Formulas<ScalarOps>::log(total) : 0.0f);
    map(n, [&](std::int64_t i, int count) {
      const Float value = kLog ? Ops::sub(Ops::sub(Ops::load(x + i, count), largest), log_total)
                               : Ops::div(Ops::load(y + i, count), divisor);
      Ops::store(Formula::number_or_nan(divisor, value), y + i, count);
    });
  }

  /// Subtracted from every element, and multiplied with.
  struct Moments {
    float mean, rstd;
  };
  template <bool kRms>
  SAMEBITS_INLINE static Moments moments(const float* x, std::int64_t n, float eps) {
    const float size = static_cast<float>(n);
    const float mean = kRms ? 0.0f : sum(n, [&](Float lane, std::int64_t i, int count) {
                                       return Ops::add(lane, Ops::load(x + i, count));
                                     }) / size;
    const float squares = sum(n, [&](Float lane, std::int64_t i, int count) {
      const Float value = Ops::load(x + i, count);
      const Float d = kRms ? value : Ops::keep(Ops::sub(value, Ops::set(mean)), count);
      return Ops::fma(d, d, lane);
    });
    return {mean, 1.0f / ::sqrtf(squares / size + eps)};
  }
  /// y of the elements; weights(i, count) and biases(i, count) are theirs.
  template <bool kRms, class Weights, class Biases>
  SAMEBITS_INLINE static void scale(const NormalizeArgs& args, const float* x, float* y, std::int64_t n,
                                    Moments moments, Weights weights, Biases biases) {
    const Float mean = Ops::set(moments.mean), rstd = Ops::set(moments.rstd);
    map(n, [&](std::int64_t i, int count) {
      const Float value = Ops::load(x + i, count);
      Float t = Ops::mul(kRms ? value : Ops::sub(value, mean), rstd);
      if (args.weight != nullptr && args.bias != nullptr)
        t = Ops::fma(t, weights(i, count), biases(i, count));
      else if (args.weight != nullptr)
        t = Ops::mul(t, weights(i, count));
      else if (args.bias != nullptr)
        t = Ops::add(t, biases(i, count));
      Ops::store(Formula::number_or_nan(t, t), y + i, count);
    });
  }
  /// Row `row`, whose elements are at x.
  template <bool kRms>
  SAMEBITS_INLINE static void normalize(const NormalizeArgs& args, std::int64_t row) {
    const float* const x = args.x + row * args.n;
    float* const y = args.y + row * args.n;
    const Moments of_row = moments<kRms>(x, args.n, args.eps);
    using Scalar = Formulas<ScalarOps>;
    Ops::store_one(Scalar::number_or_nan(of_row.mean, of_row.mean), args.mean, row);
    Ops::store_one(Scalar::number_or_nan(of_row.rstd, of_row.rstd), args.rstd, row);
    const std::int64_t offset = row % args.weight_rows * (args.n / args.run);
    const float *const weight = args.weight + offset, *const bias = args.bias + offset;
    if (args.run == 1)
      return scale<kRms>(
          args, x, y, args.n, of_row, [&](std::int64_t i, int count) { return Ops::load(weight + i, count); },
          [&](std::int64_t i, int count) { return Ops::load(bias + i, count); });
    for (std::int64_t j = 0; j < args.n / args.run; ++j)
      scale<kRms>(
          args, x + j * args.run, y + j * args.run, args.run, of_row,
          [&](std::int64_t, int) { return Ops::set(weight[j]); },
          [&](std::int64_t, int) { return Ops::set(bias[j]); });
  }

  SAMEBITS_INLINE static void sum_row(const ReduceArgs& args, std::int64_t row) {
    const float* const x = args.x + row * args.shape.n;
    const float total = sum(args.shape.n, [&](Float lane, std::int64_t i, int count) {
      return Ops::add(lane, Ops::load(x + i, count));
    });
    const float y = args.is_mean ? total / static_cast<float>(args.shape.n) : total;
    Ops::store_one(Formulas<ScalarOps>::number_or_nan(y, y), args.y, row);
  }
  SAMEBITS_INLINE static void max_row(const ReduceArgs& args, std::int64_t row) {
    const float* const x = args.x + row * args.shape.n;
    Float numbers[kVectors];  // 0, or NaN where a lane saw one
    clear(numbers, 0.0f);
    for_lanes(numbers, 0, args.shape.n, [&](Float lane, std::int64_t i, int count) {
      const Float value = Ops::load(x + i, count);
      return Ops::select(Ops::is_number(value), lane, value);
    });
    const float nan_or_0 = fold(numbers, [](auto a, auto b) { return Ops::add(a, b); });
    const float y = max(x, args.shape.n) + nan_or_0;  // which makes a zero +0
    Ops::store_one(Formulas<ScalarOps>::number_or_nan(nan_or_0, y), args.y, row);
  }
};

/// Rows side by side, [n][inner]: a lane is a row, and the 64 lanes of its sum are 64 vectors.
template <class Ops>
struct Columns {
  using Float = typename Ops::Float;
  using Formula = Formulas<Ops>;

  /// Of the elements that load(i) gives, i in [0, n), by body(lane, i).
  template <class Body>
  SAMEBITS_INLINE static Float sum(std::int64_t n, Body body) {
    Float total[kRowLanes], lanes[kRowLanes];
    const int used = n < kRowLanes ? static_cast<int>(n) : kRowLanes;  // the others are +0
    for (int lane = 0; lane < kRowLanes; ++lane) total[lane] = Ops::set(0.0f);
    for (std::int64_t begin = 0; begin < n; begin += kRowChunk) {
      Float* const to = begin == 0 ? total : lanes;
      const std::int64_t end = n - begin < kRowChunk ? n : begin + kRowChunk;
      for (int lane = 0; lane < used && begin != 0; ++lane) lanes[lane] = Ops::set(0.0f);
      for (std::int64_t i = begin; i < end; ++i) to[i % kRowLanes] = body(to[i % kRowLanes], i);
      for (int lane = 0; lane < used && begin != 0; ++lane) total[lane] = Ops::add(total[lane], lanes[lane]);
    }
    for (int half = kRowLanes / 2; half > 0; half /= 2)
      for (int lane = 0; lane < half && lane + half < used; ++lane)
        total[lane] = Ops::add(total[lane], total[lane + half]);
    return total[0];
  }
  SAMEBITS_INLINE static Float max(const float* x, const RowShape& shape, int count) {
    Float largest = Ops::set(-Formula::kInfinity);
    for (std::int64_t i = 0; i < shape.n; ++i)
      largest = Ops::max(largest, Ops::load(x + i * shape.inner, count));
    return largest;
  }

  /// `count` rows that begin at x and y.
  template <bool kLog>
  SAMEBITS_INLINE static void softmax(const float* x, float* y, const RowShape& shape, int count) {
    const Float largest = max(x, shape, count);
    const Float total = sum(shape.n, [&](Float lane, std::int64_t i) {
      const Float e = Formula::exp(Ops::sub(Ops::load(x + i * shape.inner, count), largest));
      if (!kLog) Ops::store(e, y + i * shape.inner, count);
      return Ops::add(lane, e);
    });
    const Float log_total = kLog ? Formula::log(total) : total;
    for (std::int64_t i = 0; i < shape.n; ++i) {
      const std::int64_t at = i * shape.inner;
      const Float value = kLog ? Ops::sub(Ops::sub(Ops::load(x + at, count), largest), log_total)
                               : Ops::div(Ops::load(y + at, count), total);
      Ops::store(Formula::number_or_nan(total, value), y + at, count);
    }
  }
  SAMEBITS_INLINE static void sum_columns(const ReduceArgs& args, const float* x, float* y, int count) {
    Float value = sum(args.shape.n, [&](Float lane, std::int64_t i) {
      return Ops::add(lane, Ops::load(x + i * args.shape.inner, count));
    });
    if (args.is_mean) value = Ops::div(value, Ops::set(static_cast<float>(args.shape.n)));
    Ops::store(Formula::number_or_nan(value, value), y, count);
  }
  SAMEBITS_INLINE static void max_columns(const ReduceArgs& args, const float* x, float* y, int count) {
    Float number = Ops::set(0.0f);
    for (std::int64_t i = 0; i < args.shape.n; ++i) {
      const Float value = Ops::load(x + i * args.shape.inner, count);
      number = Ops::select(Ops::is_number(value), number, value);
    }
    const Float value = Ops::add(max(x, args.shape, count), number);
    Ops::store(Formula::number_or_nan(number, value), y, count);
  }
};
