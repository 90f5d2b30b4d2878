// torch operator over kernels/float/bilinear.h: schema, checks, CPU, Meta, autograd.
#include "csrc/resize/upsample_bilinear2d.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <array>

#include "csrc/common/check.h"
#include "kernels/float/bilinear.h"
#include "kernels/float/resize_step.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Factors = std::optional<at::ArrayRef<double>>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "upsample_bilinear2d(Tensor x, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> "
      "Tensor");
}

Tensor upsample_bilinear2d(const Tensor& x, at::OptionalSymIntArrayRef output_size, bool align_corners,
                           Factors scale_factors) {
  static const auto op = find_op<decltype(upsample_bilinear2d)>("samebits::upsample_bilinear2d");
  return op.call(x, output_size, align_corners, scale_factors);
}

namespace {

constexpr char kOp[] = "upsample_bilinear2d";

/// {height, width} of y; checks every argument.
std::array<int64_t, 2> output_size_of(const Tensor& x, at::OptionalSymIntArrayRef output_size,
                                      Factors scale_factors) {
  check_dtype(kOp, "x", x, at::kFloat);
  TORCH_CHECK(x.dim() == 4, "[upsample_bilinear2d] x: expected [n, channels, height, width], got shape ",
              x.sym_sizes());
  const bool has_both = output_size.has_value() && scale_factors.has_value();
  const std::size_t count = output_size.has_value()     ? output_size->size()
                            : scale_factors.has_value() ? scale_factors->size()
                                                        : 0;
  TORCH_CHECK(!has_both && count == 2,
              "[upsample_bilinear2d] expected an output_size or scale_factors of 2, got ",
              has_both     ? "both"
              : count == 0 ? "neither"
                           : std::to_string(count));
  std::array<int64_t, 2> size = {};
  for (const std::size_t axis : {0u, 1u}) {
    const int64_t in = x.sym_size(2 + static_cast<int64_t>(axis)).guard_int(__FILE__, __LINE__);
    // As LibTorch rounds it.
    size[axis] = output_size.has_value()
                     ? output_size->at(axis).guard_int(__FILE__, __LINE__)
                     : static_cast<int64_t>(static_cast<double>(in) * scale_factors->at(axis));
    TORCH_CHECK(in >= 1 && size[axis] >= 1 && size[axis] < int64_t{1} << 31,
                "[upsample_bilinear2d] expected sizes of 1 and more, got ", in, " to ", size[axis]);
  }
  return size;
}

Tensor upsample_meta(const Tensor& x, at::OptionalSymIntArrayRef output_size, bool, Factors scale_factors) {
  const auto [height, width] = output_size_of(x, output_size, scale_factors);
  return at::empty_symint({x.sym_size(0), x.sym_size(1), height, width},
                          x.options().memory_format(at::MemoryFormat::Contiguous));
}

std::optional<double> factor(Factors scale_factors, std::size_t axis) {
  return scale_factors.has_value() ? std::optional(scale_factors->at(axis)) : std::nullopt;
}

std::vector<kernels::LinearTap> taps_of(int64_t in, int64_t out, bool align_corners,
                                        std::optional<double> scale) {
  std::vector<kernels::LinearTap> taps(static_cast<std::size_t>(out));
  kernels::linear_taps({in, out, kernels::resize_step(in, out, align_corners, scale), align_corners},
                       taps.data());
  return taps;
}

Tensor upsample_cpu(const Tensor& x_any, at::OptionalSymIntArrayRef output_size, bool align_corners,
                    Factors scale_factors) {
  const Tensor y = upsample_meta(x_any, output_size, align_corners, scale_factors), x = x_any.contiguous();
  const auto rows = taps_of(x.size(2), y.size(2), align_corners, factor(scale_factors, 0)),
             columns = taps_of(x.size(3), y.size(3), align_corners, factor(scale_factors, 1));
  const kernels::Bilinear args{.x = x.const_data_ptr<float>(),
                               .y = y.mutable_data_ptr<float>(),
                               .in_height = x.size(2),
                               .in_width = x.size(3),
                               .out_height = y.size(2),
                               .out_width = y.size(3),
                               .rows = rows.data(),
                               .columns = columns.data()};
  at::parallel_for(0, x.size(0) * x.size(1), 1 + at::internal::GRAIN_SIZE / (y.size(2) * y.size(3)),
                   [&](int64_t begin, int64_t end) { kernels::bilinear(args, begin, end); });
  return y;
}

struct UpsampleFunction : torch::autograd::Function<UpsampleFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, at::OptionalSymIntArrayRef output_size,
                        bool align_corners, Factors scale_factors) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->saved_data["sizes"] = c10::IValue(x.sym_sizes());
    context->saved_data["align_corners"] = align_corners;
    if (scale_factors.has_value()) context->saved_data["factors"] = scale_factors->vec();
    return ops::upsample_bilinear2d(x, output_size, align_corners, scale_factors);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor& grad_y = grads[0];
    std::optional<double> height, width;
    if (context->saved_data.find("factors") != context->saved_data.end()) {
      const std::vector<double> factors = context->saved_data["factors"].toDoubleVector();
      height = factors[0];
      width = factors[1];
    }
    const std::vector<c10::SymInt> size = {grad_y.sym_size(2), grad_y.sym_size(3)};
    return {
        at::upsample_bilinear2d_backward_symint(grad_y, size, context->saved_data["sizes"].toSymIntVector(),
                                                context->saved_data["align_corners"].toBool(), height, width),
        {},
        {},
        {}};
  }
};

Tensor upsample_autograd(const Tensor& x, at::OptionalSymIntArrayRef output_size, bool align_corners,
                         Factors scale_factors) {
  return UpsampleFunction::apply(x, output_size, align_corners, scale_factors);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("upsample_bilinear2d", upsample_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("upsample_bilinear2d", upsample_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("upsample_bilinear2d", upsample_autograd);
}

}  // namespace samebits::ops
