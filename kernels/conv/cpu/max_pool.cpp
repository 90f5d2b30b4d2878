// kernels/conv/max_pool.h with Highway: lanes are neighbouring outputs of one row, for strides 1 and 2;
// windows that reach over the left or right edge and other strides are the reference's. This file is compiled
// once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/max_pool.cpp"
#include "kernels/conv/reference/max_pool.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The outputs [first, last) of a row whose windows a vector can read: none over the left or right edge, and
/// no load of load_strided beyond the row.
struct Interior {
  std::int64_t first, last;
};
template <std::int64_t Stride>
HWY_INLINE Interior interior(const MaxPoolShape& shape) {
  const std::int64_t first = std::min((shape.padding_width + Stride - 1) / Stride, shape.out_width());
  const std::int64_t last_load = (shape.kernel_width - 1) / Stride * Stride;
  const std::int64_t last =
      std::min((shape.width + shape.padding_width - last_load) / Stride, shape.out_width());
  return {first, std::max(first, last)};
}

/// Element `column` of the windows of neighbouring outputs, the first of which starts at `window`. Reads
/// Stride elements a lane, from the last multiple of Stride on that is not beyond `column`.
template <std::int64_t Stride, class Tag, class T>
HWY_INLINE hn::Vec<Tag> load_strided(Tag tag, const T* window, std::int64_t column) {
  if constexpr (Stride == 1) return hn::LoadU(tag, window + column);
  hn::Vec<Tag> even, odd;
  hn::LoadInterleaved2(tag, window + column / 2 * 2, even, odd);
  return column % 2 == 0 ? even : odd;
}

/// Calls `run(tag, column)` for vectors of outputs that cover [first, last). The last one may overlap the one
/// before it; too few outputs for the smallest vector are left to the caller: returns where the covered ones
/// end.
template <class T, class Run>
HWY_INLINE std::int64_t for_each_vector(std::int64_t first, std::int64_t last, Run run) {
  const auto cover = [&](auto tag) {
    const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(tag));
    for (std::int64_t column = first; column < last; column += lanes)
      run(tag, std::min(column, last - lanes));
  };
  if (last - first >= 8)
    cover(hn::CappedTag<T, 8>());
  else if (last - first >= 4)
    cover(hn::CappedTag<T, 4>());
  else
    return first;
  return last;
}

/// The neighbouring outputs whose first windows start at `window`, which `part` cuts above and below. Width
/// is the kernel's, or 0 when it is known at run time only: a known one needs each element loaded once.
template <std::int64_t Stride, std::int64_t Width, class Tag>
HWY_INLINE void max_pool_vector(Tag f32, const MaxPoolShape& shape, const reference::WindowPart& part,
                                const float* window, float* y, std::uint8_t* argmax) {
  const hn::RebindToSigned<Tag> i32;
  const hn::Rebind<std::uint8_t, Tag> u8;
  const std::int64_t kernel_width = Width == 0 ? shape.kernel_width : Width;
  auto best = load_strided<Stride>(f32, window + part.first_row * shape.width, 0);
  auto place = hn::Set(i32, static_cast<std::int32_t>(part.first_row * kernel_width));
  for (std::int64_t row = part.first_row; row < part.last_row; ++row) {
    for (std::int64_t column = 0; column < kernel_width; ++column) {
      const auto element = load_strided<Stride>(f32, window + row * shape.width, column);
      const auto is_better = hn::Or(hn::Gt(element, best), hn::IsNaN(element));
      best = hn::IfThenElse(is_better, element, best);
      const auto here = hn::Set(i32, static_cast<std::int32_t>(row * kernel_width + column));
      place = hn::IfThenElse(hn::RebindMask(i32, is_better), here, place);
    }
  }
  hn::StoreU(best, f32, y);
  if (argmax != nullptr) hn::StoreU(hn::DemoteTo(u8, place), u8, argmax);
}

template <std::int64_t Stride, std::int64_t Width>
HWY_INLINE void max_pool_plane(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax) {
  const Interior inside = interior<Stride>(shape);
  for (std::int64_t row = 0; row < shape.out_height(); ++row) {
    const reference::WindowPart part = reference::window_part(shape, row, inside.first);
    const float* windows =
        x + (row * shape.stride_height - shape.padding_height) * shape.width - shape.padding_width;
    const std::int64_t covered =
        for_each_vector<float>(inside.first, inside.last, [&](auto f32, std::int64_t column) {
          const std::int64_t i = row * shape.out_width() + column;
          max_pool_vector<Stride, Width>(f32, shape, part, windows + column * Stride, y + i,
                                         argmax == nullptr ? nullptr : argmax + i);
        });
    reference::max_pool_row(shape, x, y, argmax, row, 0, inside.first);
    reference::max_pool_row(shape, x, y, argmax, row, covered, shape.out_width());
  }
}

void max_pool(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax, std::int64_t begin,
              std::int64_t end) {
  if (shape.stride_width > 2) return reference::max_pool(shape, x, y, argmax, begin, end);
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const float* x_plane = x + plane * shape.in_size();
    float* y_plane = y + plane * shape.out_size();
    std::uint8_t* argmax_plane = argmax == nullptr ? nullptr : argmax + plane * shape.out_size();
    if (shape.stride_width == 1)
      max_pool_plane<1, 0>(shape, x_plane, y_plane, argmax_plane);
    else if (shape.kernel_width == 2)
      max_pool_plane<2, 2>(shape, x_plane, y_plane, argmax_plane);
    else
      max_pool_plane<2, 0>(shape, x_plane, y_plane, argmax_plane);
  }
}

template <std::int64_t Stride, std::int64_t Width>
HWY_INLINE void max_pool_codes_plane(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y) {
  const std::int64_t kernel_width = Width == 0 ? shape.kernel_width : Width;
  const Interior inside = interior<Stride>(shape);
  for (std::int64_t row = 0; row < shape.out_height(); ++row) {
    const reference::WindowPart part = reference::window_part(shape, row, inside.first);
    const std::int8_t* windows =
        x + (row * shape.stride_height - shape.padding_height) * shape.width - shape.padding_width;
    const std::int64_t covered =
        for_each_vector<std::int8_t>(inside.first, inside.last, [&](auto i8, std::int64_t column) {
          auto best = hn::Set(i8, std::int8_t{-128});
          for (std::int64_t r = part.first_row; r < part.last_row; ++r)
            for (std::int64_t c = 0; c < kernel_width; ++c)
              best = hn::Max(best, load_strided<Stride>(i8, windows + column * Stride + r * shape.width, c));
          hn::StoreU(best, i8, y + row * shape.out_width() + column);
        });
    reference::max_pool_codes_row(shape, x, y, row, 0, inside.first);
    reference::max_pool_codes_row(shape, x, y, row, covered, shape.out_width());
  }
}

void max_pool_codes(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y, std::int64_t begin,
                    std::int64_t end) {
  if (shape.stride_width > 2) return reference::max_pool_codes(shape, x, y, begin, end);
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const std::int8_t* x_plane = x + plane * shape.in_size();
    if (shape.stride_width == 1)
      max_pool_codes_plane<1, 0>(shape, x_plane, y + plane * shape.out_size());
    else if (shape.kernel_width == 2)
      max_pool_codes_plane<2, 2>(shape, x_plane, y + plane * shape.out_size());
    else
      max_pool_codes_plane<2, 0>(shape, x_plane, y + plane * shape.out_size());
  }
}

/// Windows of 2 x 2 elements that neither overlap nor leave the image: each grad_x is written once.
HWY_INLINE bool is_2x2(const MaxPoolShape& shape) {
  return shape.kernel_height == 2 && shape.kernel_width == 2 && shape.stride_height == 2 &&
         shape.stride_width == 2 && shape.padding_height == 0 && shape.padding_width == 0;
}

/// Both rows of grad_x that belong to one row of grad_y, whose first element the pointers point at.
HWY_INLINE void max_pool_backward_2x2_row(const float* grad_y, const std::uint8_t* argmax, std::int64_t count,
                                          float* upper, float* lower) {
  std::int64_t i = for_each_vector<float>(0, count, [&](auto f32, std::int64_t first) {
    const hn::RebindToSigned<decltype(f32)> i32;
    const hn::Rebind<std::uint8_t, decltype(f32)> u8;
    const auto place = hn::PromoteTo(i32, hn::LoadU(u8, argmax + first));
    const auto g = hn::Add(hn::Zero(f32), hn::LoadU(f32, grad_y + first));
    const auto at = [&](std::int32_t p) {
      return hn::IfThenElseZero(hn::RebindMask(f32, hn::Eq(place, hn::Set(i32, p))), g);
    };
    hn::StoreInterleaved2(at(0), at(1), f32, upper + 2 * first);
    hn::StoreInterleaved2(at(2), at(3), f32, lower + 2 * first);
  });
  for (; i < count; ++i) {
    const float g = 0.0f + grad_y[i];
    upper[2 * i] = argmax[i] == 0 ? g : 0.0f;
    upper[2 * i + 1] = argmax[i] == 1 ? g : 0.0f;
    lower[2 * i] = argmax[i] == 2 ? g : 0.0f;
    lower[2 * i + 1] = argmax[i] == 3 ? g : 0.0f;
  }
}

void max_pool_backward(const MaxPoolShape& shape, const float* grad_y, const std::uint8_t* argmax,
                       float* grad_x, std::int64_t begin, std::int64_t end) {
  if (!is_2x2(shape)) return reference::max_pool_backward(shape, grad_y, argmax, grad_x, begin, end);
  for (std::int64_t plane = begin; plane < end; ++plane) {
    float* to = grad_x + plane * shape.in_size();
    for (std::int64_t row = 0; row < shape.out_height(); ++row, to += 2 * shape.width) {
      const std::int64_t i = plane * shape.out_size() + row * shape.out_width();
      max_pool_backward_2x2_row(grad_y + i, argmax + i, shape.out_width(), to, to + shape.width);
      if (shape.width % 2 != 0) to[shape.width - 1] = to[2 * shape.width - 1] = 0.0f;
    }
    if (shape.height % 2 != 0) std::fill(to, to + shape.width, 0.0f);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(max_pool, "max_pool");
SAMEBITS_HIGHWAY_KERNEL(max_pool_codes, "max_pool_codes");
SAMEBITS_HIGHWAY_KERNEL(max_pool_backward, "max_pool_backward");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
