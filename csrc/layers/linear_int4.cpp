// torch operators over kernels/matmul/gemm_int4.h: schema, checks, CPU, Meta. Autograd refuses.
#include "csrc/layers/linear_int4.h"

#include <torch/library.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "csrc/common/check.h"
#include "csrc/layers/region_threads.h"
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

template <class Call>
kernels::Int4Shape shape_of(const Call& call) {
  return {call.weight.out_features, call.x.sym_size(-1).guard_int(__FILE__, __LINE__),
          call.weight.group_size};
}

void check_packed(const char* op, const PackedInt4Weight& weight, const kernels::Int4Shape& shape) {
  check_dtype(op, "levels", weight.levels, at::kByte);
  check_dtype(op, "packed_scale", weight.scale, at::kFloat);
  check_dtype(op, "zero_levels", weight.zero_levels, at::kByte);
  const auto check_size = [&](const char* name, const Tensor& tensor, int64_t expected) {
    TORCH_CHECK(tensor.numel() == expected, "[", op, "] ", name, ": expected ", expected,
                " elements for out_features ", shape.n, ", in_features ", shape.k, " and group_size ",
                weight.group_size, ", got ", tensor.numel(), "; pack with pack_int4_weight");
  };
  check_size("levels", weight.levels, shape.packed_bytes());
  check_size("packed_scale", weight.scale, shape.terms());
  if (weight.zero_levels.numel() != 0) check_size("zero_levels", weight.zero_levels, shape.terms());
}

/// y, not written yet. Checks everything that shapes tell.
template <class Call>
Tensor checked_empty_output(const Call& call, const char* x_name) {
  TORCH_CHECK(call.x.dim() >= 1, "[", Call::kOp, "] ", x_name,
              ": expected [..., in_features], got no dimensions");
  TORCH_CHECK(call.weight.out_features >= 1, "[", Call::kOp, "] out_features: expected 1 or more, got ",
              call.weight.out_features);
  check_group_size(Call::kOp, call.weight.group_size);
  const kernels::Int4Shape shape = shape_of(call);
  check_packed(Call::kOp, call.weight, shape);
  if (call.bias.has_value()) {
    check_dtype(Call::kOp, "bias", *call.bias, at::kFloat);
    TORCH_CHECK(call.bias->numel() == shape.n, "[", Call::kOp, "] bias: expected ", shape.n, " values, got ",
                call.bias->numel());
  }
  std::vector<c10::SymInt> sizes = call.x.sym_sizes().vec();
  sizes.back() = shape.n;
  return at::empty_symint(sizes, call.x.options().dtype(at::kFloat));
}

/// The weight and the output as the kernels take them, and what keeps their arrays alive.
struct Int4Operands {
  Tensor levels, scale, zero_levels, bias;
  kernels::PackedInt4 weight;
  kernels::Int4Output output;

  template <class Call>
  Int4Operands(const Call& call, const Tensor& y)
      : levels(call.weight.levels.contiguous()),
        scale(call.weight.scale.contiguous()),
        zero_levels(call.weight.zero_levels.contiguous()),
        bias(call.bias.has_value() ? call.bias->contiguous() : Tensor()),
        weight{shape_of(call), levels.const_data_ptr<uint8_t>(), scale.const_data_ptr<float>(),
               zero_levels.numel() == 0 ? nullptr : zero_levels.const_data_ptr<uint8_t>()},
        output{y.mutable_data_ptr<float>(), call.weight.out_features,
               bias.defined() ? bias.const_data_ptr<float>() : nullptr, call.relu} {}
};

Tensor int4_cpu(const LinearInt4Call& call) {
  const Tensor y = empty_output(call);
  const Grids grid = checked_grids({"linear_int4", "x_", call.x_scale, call.x_zero_point, -128, 127}, call.x);
  const Tensor x = call.x.contiguous();
  const Int4Operands operands(call, y);
  const kernels::GemmInt4Args args{x.const_data_ptr<int8_t>(), x.size(-1),      grid.table.scale[0],
                                   grid.table.zero_point[0],   operands.weight, operands.output};
  const int64_t m = y.numel() / call.weight.out_features, n = call.weight.out_features;
  for_each_part(m * n * x.size(-1), [&](int64_t part, int64_t parts) {
    const kernels::GemmRegion r = kernels::gemm_region(m, n, part, parts);
    kernels::gemm_int4(args, r.row_begin, r.row_end, r.column_begin, r.column_end);
  });
  return y;
}

Tensor weight_only_cpu(const LinearWeightOnlyCall& call) {
  const Tensor y = empty_output(call);
  const Tensor x = call.x.contiguous();
  const Int4Operands operands(call, y);
  const kernels::GemmFloatInt4Args args{x.const_data_ptr(), float_type(call.kOp, "x", x), x.size(-1),
                                        operands.weight, operands.output};
  const int64_t m = y.numel() / call.weight.out_features, n = call.weight.out_features;
  for_each_part(m * n * x.size(-1), [&](int64_t part, int64_t parts) {
    const kernels::GemmRegion r = kernels::gemm_region(m, n, part, parts);
    kernels::gemm_float_int4(args, r.row_begin, r.row_end, r.column_begin, r.column_end);
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

Tensor empty_output(const LinearInt4Call& call) {
  check_dtype("linear_int4", "x_codes", call.x, at::kChar);
  TORCH_CHECK(call.x_scale.numel() == 1, "[linear_int4] x_scale: expected 1 element, got ",
              call.x_scale.numel());
  check_grid_shapes({"linear_int4", "x_", call.x_scale, call.x_zero_point, -128, 127}, call.x);
  const Tensor y = checked_empty_output(call, "x_codes");
  TORCH_CHECK(shape_of(call).depth() <= kernels::kMaxInt4Depth,
              "[linear_int4] in_features: expected <= ", kernels::kMaxInt4Depth, " for sums in int32, got ",
              shape_of(call).depth(), "; use groups, or split the layer");
  return y;
}

Tensor empty_output(const LinearWeightOnlyCall& call) {
  float_type("linear_weight_only", "x", call.x);
  return checked_empty_output(call, "x");
}

PackedInt4Weight pack_int4_weight(const Tensor& codes, const Tensor& scale, const OptionalTensor& zero_point,
                                  int64_t qmin, int64_t group_size) {
  static const auto op = find_op<PackSignature>("samebits::pack_int4_weight");
  auto [levels, packed_scale, zero_levels] = op.call(codes, scale, zero_point, qmin, group_size);
  return {levels, packed_scale, zero_levels, codes.size(0), group_size};
}

Tensor linear_int4(const Tensor& x_codes, const Tensor& x_scale, const Tensor& x_zero_point,
                   const PackedInt4Weight& weight, const OptionalTensor& bias, bool relu) {
  return call_operator(LinearInt4Call{x_codes, x_scale, x_zero_point, weight, bias, relu});
}

Tensor linear_weight_only(const Tensor& x, const PackedInt4Weight& weight, const OptionalTensor& bias,
                          bool relu) {
  return call_operator(LinearWeightOnlyCall{x, weight, bias, relu});
}

Tensor int4_meta(const LinearInt4Call& call) {
  return empty_output(call);
}
Tensor weight_only_meta(const LinearWeightOnlyCall& call) {
  return empty_output(call);
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("pack_int4_weight", pack_cpu);
  library.impl("linear_int4", unpacked<int4_cpu>);
  library.impl("linear_weight_only", unpacked<weight_only_cpu>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("pack_int4_weight", pack_meta);
  library.impl("linear_int4", unpacked<int4_meta>);
  library.impl("linear_weight_only", unpacked<weight_only_meta>);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  for (const char* name : {"linear_int4", "linear_weight_only"})
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse_gradients>());
}

}  // namespace samebits::ops
