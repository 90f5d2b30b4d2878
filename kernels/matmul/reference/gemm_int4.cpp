// The contract of kernels/matmul/gemm_int4.h as plain loops.
#include "kernels/matmul/reference/gemm_int4.h"

#include <cmath>

#include "kernels/common/float_type.h"

namespace samebits::kernels::reference {
namespace {

/// level - zero of column n at depth k.
std::int32_t centered_level(const PackedInt4& b, std::int64_t n, std::int64_t k) {
  const std::int64_t block = n / Int4Shape::kColumns, column = n % Int4Shape::kColumns;
  const std::int64_t group = b.shape.groups() == 1 ? 0 : k / b.shape.depth();
  const std::int64_t i = k - group * b.shape.depth();
  const std::int64_t byte =
      b.shape.line_offset(block, group) + i / 8 * Int4Shape::kLineBytes + column * 4 + i % 4;
  const std::int32_t level = b.levels[byte] >> (i / 4 % 2 * 4) & 0xF;
  const std::int32_t zero =
      b.zero_level == nullptr ? b.zero : b.zero_level[b.shape.term_offset(block, group) + column];
  return level - zero;
}

float scale_of(const PackedInt4& b, std::int64_t n, std::int64_t group) {
  return b.scale[b.shape.term_offset(n / Int4Shape::kColumns, group) + n % Int4Shape::kColumns];
}

/// Bias, then relu, on columns [begin, end) of a row of sums.
void finish_row(const Int4Output& output, std::int64_t row, std::int64_t begin, std::int64_t end) {
  float* y = output.y + row * output.stride;
  for (std::int64_t c = begin; output.bias != nullptr && c < end; ++c) y[c] += output.bias[c];
  for (std::int64_t c = begin; output.relu && c < end; ++c)
    if (y[c] < 0.0f) y[c] = 0.0f;
}

float sum_of_codes(const GemmInt4Args& args, std::int64_t row, std::int64_t c) {
  const Int4Shape& shape = args.b.shape;
  const std::int8_t* a = args.a + row * args.a_stride;
  float total = 0.0f;
  for (std::int64_t group = 0; group < shape.groups(); ++group) {
    std::int32_t accumulator = 0;
    const std::int64_t first = group * shape.depth();
    for (std::int64_t k = first; k < first + shape.depth_of(group); ++k)
      accumulator += (a[k] - args.a_zero_point) * centered_level(args.b, c, k);
    const float scale = scale_of(args.b, c, group);
    if (shape.group_size == 0) return static_cast<float>(accumulator) * (args.a_scale * scale);
    total += static_cast<float>(accumulator) * scale;
  }
  return total * args.a_scale;
}

float value_at(const GemmFloatInt4Args& args, std::int64_t index) {
  if (args.x_type == FloatType::kFloat32) return static_cast<const float*>(args.x)[index];
  const std::uint16_t bits = static_cast<const std::uint16_t*>(args.x)[index];
  return args.x_type == FloatType::kBfloat16 ? to_float(Bfloat16{bits}) : to_float(Float16{bits});
}

float sum_of_floats(const GemmFloatInt4Args& args, std::int64_t row, std::int64_t c) {
  const Int4Shape& shape = args.b.shape;
  float total = 0.0f;
  for (std::int64_t group = 0; group < shape.groups(); ++group) {
    float partial[4] = {};
    const std::int64_t first = group * shape.depth();
    for (std::int64_t i = 0; i < shape.depth_of(group); ++i) {
      const float weight = static_cast<float>(centered_level(args.b, c, first + i));
      partial[i % 4] = std::fma(value_at(args, row * args.x_stride + first + i), weight, partial[i % 4]);
    }
    total =
        std::fma((partial[0] + partial[1]) + (partial[2] + partial[3]), scale_of(args.b, c, group), total);
  }
  return total;
}

}  // namespace

void gemm_int4(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
               std::int64_t column_begin, std::int64_t column_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    for (std::int64_t c = column_begin; c < column_end; ++c)
      args.output.y[row * args.output.stride + c] = sum_of_codes(args, row, c);
    finish_row(args.output, row, column_begin, column_end);
  }
}

void gemm_float_int4(const GemmFloatInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                     std::int64_t column_begin, std::int64_t column_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    for (std::int64_t c = column_begin; c < column_end; ++c)
      args.output.y[row * args.output.stride + c] = sum_of_floats(args, row, c);
    finish_row(args.output, row, column_begin, column_end);
  }
}

}  // namespace samebits::kernels::reference
