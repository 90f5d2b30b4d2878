// torch operators over kernels/matmul/gemm_int4.h: schema, checks, CPU, Meta. Autograd refuses.
#include "csrc/layers/linear_int4.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "csrc/common/check.h"
#include "csrc/quantize/grids.h"
#include "kernels/matmul/gemm_int4.h"
#include "kernels/matmul/gemm_int8.h"

namespace samebits::ops {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "pack_int4_weight(Tensor codes, Tensor scale, Tensor? zero_point=None, int qmin=-8, int group_size=0)"
      " -> (Tensor levels, Tensor packed_scale, Tensor zero_levels)");
  library.def(
      "linear_int4(Tensor x_codes, Tensor x_scale, Tensor x_zero_point, Tensor levels, Tensor packed_scale,"
      " Tensor zero_levels, int out_features, int group_size=0, Tensor? bias=None, bool relu=False)"
      " -> Tensor y");
  library.def(
      "linear_weight_only(Tensor x, Tensor levels, Tensor packed_scale, Tensor zero_levels, int out_features,"
      " int group_size=0, Tensor? bias=None, bool relu=False) -> Tensor y");
}

namespace {

using Packing = std::tuple<Tensor, Tensor, Tensor>;
using PackSignature = Packing(const Tensor&, const Tensor&, const OptionalTensor&, int64_t, int64_t);
using Int4Signature = Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                             const Tensor&, int64_t, int64_t, const OptionalTensor&, bool);
using WeightOnlySignature = Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&, int64_t,
                                   int64_t, const OptionalTensor&, bool);

void check_group_size(const char* op, int64_t group_size) {
  TORCH_CHECK(group_size >= 0 && group_size % 4 == 0, "[", op,
              "] group_size: expected 0 (none) or a multiple of 4, got ", group_size);
}

/// A symmetric grid of -8..7 needs no level of the real 0: the kernel's default is it.
bool needs_zero_levels(const OptionalTensor& zero_point, int64_t qmin) {
  return zero_point.has_value() || qmin == 0;
}

Packing pack_meta(const Tensor& codes, const Tensor& scale, const OptionalTensor& zero_point, int64_t qmin,
                  int64_t group_size) {
  check_dtype("pack_int4_weight", "codes", codes, at::kChar);
  TORCH_CHECK(codes.dim() == 2, "[pack_int4_weight] codes: expected [out_features, in_features], got shape ",
              codes.sizes());
  TORCH_CHECK(qmin == -8 || qmin == 0, "[pack_int4_weight] qmin: expected -8 or 0, got ", qmin);
  check_group_size("pack_int4_weight", group_size);
  const Tensor z = zero_point.value_or(Tensor());
  check_grid_shapes({"pack_int4_weight", "", scale, z, qmin, qmin + 15, 0, group_size}, codes);
  const kernels::Int4Shape shape{codes.size(0), codes.size(1), group_size};
  const auto bytes = codes.options().dtype(at::kByte);
  return {at::empty({shape.packed_bytes()}, bytes), at::empty({shape.terms()}, scale.options()),
          at::empty({needs_zero_levels(zero_point, qmin) ? shape.terms() : 0}, bytes)};
}

void check_codes(const Tensor& codes, int64_t qmin) {
  const int8_t* data = codes.const_data_ptr<int8_t>();
  for (int64_t i = 0; i < codes.numel(); ++i)
    TORCH_CHECK(qmin <= data[i] && data[i] <= qmin + 15, "[pack_int4_weight] codes: expected values in ",
                qmin, "..", qmin + 15, ", got ", static_cast<int>(data[i]), " at element ", i);
}

/// [out * groups] values of 1 or as many.
Tensor one_a_group(const Tensor& values, const kernels::Int4Shape& shape) {
  return values.reshape({-1}).expand({shape.n * shape.groups()}).contiguous();
}

Packing pack_cpu(const Tensor& codes_any, const Tensor& scale, const OptionalTensor& zero_point, int64_t qmin,
                 int64_t group_size) {
  auto [levels, packed_scale, zero_levels] = pack_meta(codes_any, scale, zero_point, qmin, group_size);
  const Tensor codes = codes_any.contiguous();
  check_codes(codes, qmin);
  const Tensor z = zero_point.value_or(Tensor());
  const Grids grids =
      checked_grids({"pack_int4_weight", "", scale, z, qmin, qmin + 15, 0, group_size}, codes);
  const kernels::Int4Shape shape{codes.size(0), codes.size(1), group_size};
  const auto lowest = static_cast<int32_t>(qmin);
  kernels::pack_gemm_int4(shape, codes.const_data_ptr<int8_t>(), lowest, levels.mutable_data_ptr<uint8_t>(),
                          0, shape.n);
  const Tensor every_scale = one_a_group(grids.scale, shape);
  kernels::pack_gemm_int4_scales(shape, every_scale.const_data_ptr<float>(),
                                 packed_scale.mutable_data_ptr<float>(), 0, shape.n);
  if (zero_levels.numel() == 0) return {levels, packed_scale, zero_levels};
  const Tensor zeros = z.defined() ? grids.zero_point : at::zeros({1}, scale.options().dtype(at::kInt));
  const Tensor every_zero = one_a_group(zeros, shape);
  kernels::pack_gemm_int4_zero_points(shape, every_zero.const_data_ptr<int32_t>(), lowest,
                                      zero_levels.mutable_data_ptr<uint8_t>(), 0, shape.n);
  return {levels, packed_scale, zero_levels};
}

/// One call of either product.
struct Int4Call {
  const char* op;
  const char* x_name;
  const Tensor& x;
  const Tensor& levels;
  const Tensor& scale;
  const Tensor& zero_levels;
  int64_t out_features, group_size;
  const OptionalTensor& bias;
  bool relu;

  kernels::Int4Shape shape() const { return {out_features, x.size(-1), group_size}; }
};

/// y, not written yet. Checks everything that shapes tell.
Tensor empty_output(const Int4Call& call) {
  TORCH_CHECK(call.x.dim() >= 1, "[", call.op, "] ", call.x_name,
              ": expected [..., in_features], got no dimensions");
  TORCH_CHECK(call.out_features >= 1, "[", call.op, "] out_features: expected 1 or more, got ",
              call.out_features);
  check_group_size(call.op, call.group_size);
  const kernels::Int4Shape shape = call.shape();
  check_dtype(call.op, "levels", call.levels, at::kByte);
  check_dtype(call.op, "packed_scale", call.scale, at::kFloat);
  check_dtype(call.op, "zero_levels", call.zero_levels, at::kByte);
  const auto check_size = [&](const char* name, const Tensor& tensor, int64_t expected) {
    TORCH_CHECK(tensor.numel() == expected, "[", call.op, "] ", name, ": expected ", expected,
                " elements for out_features ", shape.n, ", in_features ", shape.k, " and group_size ",
                call.group_size, ", got ", tensor.numel(), "; pack with pack_int4_weight");
  };
  check_size("levels", call.levels, shape.packed_bytes());
  check_size("packed_scale", call.scale, shape.terms());
  if (call.zero_levels.numel() != 0) check_size("zero_levels", call.zero_levels, shape.terms());
  if (call.bias.has_value()) {
    check_dtype(call.op, "bias", *call.bias, at::kFloat);
    TORCH_CHECK(call.bias->numel() == shape.n, "[", call.op, "] bias: expected ", shape.n, " values, got ",
                call.bias->numel());
  }
  std::vector<int64_t> sizes = call.x.sizes().vec();
  sizes.back() = shape.n;
  return at::empty(sizes, call.x.options().dtype(at::kFloat));
}

/// The weight and the output as the kernels take them, and what keeps their arrays alive.
struct Int4Operands {
  Tensor levels, scale, zero_levels, bias;
  kernels::PackedInt4 weight;
  kernels::Int4Output output;

  Int4Operands(const Int4Call& call, const Tensor& y)
      : levels(call.levels.contiguous()),
        scale(call.scale.contiguous()),
        zero_levels(call.zero_levels.contiguous()),
        bias(call.bias.has_value() ? call.bias->contiguous() : Tensor()),
        weight{call.shape(), levels.const_data_ptr<uint8_t>(), scale.const_data_ptr<float>(),
               zero_levels.numel() == 0 ? nullptr : zero_levels.const_data_ptr<uint8_t>()},
        output{y.mutable_data_ptr<float>(), call.out_features,
               bias.defined() ? bias.const_data_ptr<float>() : nullptr, call.relu} {}
};

/// Calls `run` with regions that together cover m x n, on all threads.
template <class Run>
void in_regions(int64_t m, const kernels::Int4Shape& shape, Run run) {
  const int64_t parts = m * shape.n * shape.k < (1 << 17) ? 1 : at::get_num_threads();
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) run(kernels::gemm_region(m, shape.n, part, parts));
  });
}

Tensor int4_cpu(const Tensor& x_any, const Tensor& x_scale, const Tensor& x_zero_point, const Tensor& levels,
                const Tensor& scale, const Tensor& zero_levels, int64_t out_features, int64_t group_size,
                const OptionalTensor& bias, bool relu) {
  const Tensor y = empty_linear_int4(x_any, x_scale, x_zero_point, levels, scale, zero_levels, out_features,
                                     group_size, bias, relu);
  const Grids grid = checked_grids({"linear_int4", "x_", x_scale, x_zero_point, -128, 127}, x_any);
  const Tensor x = x_any.contiguous();
  const Int4Call call{"linear_int4", "x_codes",    x,          levels, scale,
                      zero_levels,   out_features, group_size, bias,   relu};
  const Int4Operands operands(call, y);
  const kernels::GemmInt4Args args{x.const_data_ptr<int8_t>(), x.size(-1),      grid.table.scale[0],
                                   grid.table.zero_point[0],   operands.weight, operands.output};
  in_regions(y.numel() / out_features, call.shape(), [&](const kernels::GemmRegion& part) {
    kernels::gemm_int4(args, part.row_begin, part.row_end, part.column_begin, part.column_end);
  });
  return y;
}

Tensor weight_only_cpu(const Tensor& x_any, const Tensor& levels, const Tensor& scale,
                       const Tensor& zero_levels, int64_t out_features, int64_t group_size,
                       const OptionalTensor& bias, bool relu) {
  const Tensor y =
      empty_linear_weight_only(x_any, levels, scale, zero_levels, out_features, group_size, bias, relu);
  const Tensor x = x_any.contiguous();
  const Int4Call call{"linear_weight_only", "x",          x,          levels, scale,
                      zero_levels,          out_features, group_size, bias,   relu};
  const Int4Operands operands(call, y);
  const kernels::GemmFloatInt4Args args{x.const_data_ptr(), float_type(call.op, "x", x), x.size(-1),
                                        operands.weight, operands.output};
  in_regions(y.numel() / out_features, call.shape(), [&](const kernels::GemmRegion& part) {
    kernels::gemm_float_int4(args, part.row_begin, part.row_end, part.column_begin, part.column_end);
  });
  return y;
}

/// Autograd of both: an error that names the first argument whose gradient is wanted, else the call itself.
void refuse_gradients(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& arguments = op.schema().arguments();
  const std::string name = op.schema().name().substr(sizeof("samebits::") - 1);
  for (std::size_t i = 0; at::GradMode::is_enabled() && i < arguments.size(); ++i) {
    const c10::IValue& value = torch::jit::peek(*stack, i, arguments.size());
    TORCH_CHECK(
        !value.isTensor() || !value.toTensor().defined() || !value.toTensor().requires_grad(), "[", name,
        "] ", arguments[i].name(),
        ": expected no gradient to be wanted, got requires_grad; call under torch.no_grad(), or train "
        "with samebits::linear");
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  op.callBoxed(stack);
}

}  // namespace

Tensor empty_linear_int4(const Tensor& x_codes, const Tensor& x_scale, const Tensor& x_zero_point,
                         const Tensor& levels, const Tensor& scale, const Tensor& zero_levels,
                         int64_t out_features, int64_t group_size, const OptionalTensor& bias, bool relu) {
  check_dtype("linear_int4", "x_codes", x_codes, at::kChar);
  TORCH_CHECK(x_scale.numel() == 1, "[linear_int4] x_scale: expected 1 element, got ", x_scale.numel());
  check_grid_shapes({"linear_int4", "x_", x_scale, x_zero_point, -128, 127}, x_codes);
  const Int4Call call{"linear_int4", "x_codes",    x_codes,    levels, scale,
                      zero_levels,   out_features, group_size, bias,   relu};
  const Tensor y = empty_output(call);
  TORCH_CHECK(call.shape().depth() <= kernels::kMaxInt4Depth,
              "[linear_int4] in_features: expected <= ", kernels::kMaxInt4Depth, " for sums in int32, got ",
              call.shape().depth(), "; use groups, or split the layer");
  return y;
}

Tensor empty_linear_weight_only(const Tensor& x, const Tensor& levels, const Tensor& scale,
                                const Tensor& zero_levels, int64_t out_features, int64_t group_size,
                                const OptionalTensor& bias, bool relu) {
  float_type("linear_weight_only", "x", x);
  return empty_output(
      {"linear_weight_only", "x", x, levels, scale, zero_levels, out_features, group_size, bias, relu});
}

PackedInt4Weight pack_int4_weight(const Tensor& codes, const Tensor& scale, const OptionalTensor& zero_point,
                                  int64_t qmin, int64_t group_size) {
  static const auto op = find_op<PackSignature>("samebits::pack_int4_weight");
  auto [levels, packed_scale, zero_levels] = op.call(codes, scale, zero_point, qmin, group_size);
  return {levels, packed_scale, zero_levels, codes.size(0), group_size};
}

Tensor linear_int4(const Tensor& x_codes, const Tensor& x_scale, const Tensor& x_zero_point,
                   const PackedInt4Weight& weight, const OptionalTensor& bias, bool relu) {
  static const auto op = find_op<Int4Signature>("samebits::linear_int4");
  return op.call(x_codes, x_scale, x_zero_point, weight.levels, weight.scale, weight.zero_levels,
                 weight.out_features, weight.group_size, bias, relu);
}

Tensor linear_weight_only(const Tensor& x, const PackedInt4Weight& weight, const OptionalTensor& bias,
                          bool relu) {
  static const auto op = find_op<WeightOnlySignature>("samebits::linear_weight_only");
  return op.call(x, weight.levels, weight.scale, weight.zero_levels, weight.out_features, weight.group_size,
                 bias, relu);
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("pack_int4_weight", pack_cpu);
  library.impl("linear_int4", int4_cpu);
  library.impl("linear_weight_only", weight_only_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("pack_int4_weight", pack_meta);
  library.impl("linear_int4", empty_linear_int4);
  library.impl("linear_weight_only", empty_linear_weight_only);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  for (const char* name : {"linear_int4", "linear_weight_only"})
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse_gradients>());
}

}  // namespace samebits::ops
