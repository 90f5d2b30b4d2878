// torch operator over kernels/matmul/float_matmul.h: schema, checks, CPU, Meta, autograd.
#include "csrc/matmul/matmul.h"

#include <ATen/ExpandUtils.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/region_threads.h"
#include "kernels/common/aligned_vector.h"
#include "kernels/matmul/float_matmul.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("matmul(Tensor a, Tensor b) -> Tensor");
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  static const auto op = find_op<decltype(matmul)>("samebits::matmul");
  return op.call(a, b);
}

namespace {

/// multiply() of matrices, with the dimensions of vectors added and taken away as at::matmul does.
template <class Multiply>
Tensor on_matrices(const Tensor& a, const Tensor& b, const Multiply& multiply) {
  TORCH_CHECK(a.dim() >= 1 && b.dim() >= 1, "[matmul] expected tensors of one dimension or more, got shapes ",
              a.sym_sizes(), " and ", b.sym_sizes());
  if (a.dim() >= 2 && b.dim() >= 2) return multiply(a, b);
  Tensor y = multiply(a.dim() == 1 ? a.unsqueeze(0) : a, b.dim() == 1 ? b.unsqueeze(1) : b);
  if (b.dim() == 1) y = y.squeeze(-1);
  return a.dim() == 1 ? y.squeeze(b.dim() == 1 ? -1 : -2) : y;
}

c10::SymIntArrayRef batch_of(const Tensor& x) {
  return x.sym_sizes().slice(0, static_cast<std::size_t>(x.dim() - 2));
}

/// An empty product of matrices.
Tensor empty_product(const Tensor& a, const Tensor& b) {
  check_dtype("matmul", "a", a, at::kFloat);
  check_dtype("matmul", "b", b, at::kFloat);
  TORCH_CHECK(a.sym_size(-1) == b.sym_size(-2), "[matmul] expected [..., m, k] and [..., k, n], got shapes ",
              a.sym_sizes(), " and ", b.sym_sizes());
  auto sizes = at::infer_size_symdimvector(batch_of(a), batch_of(b));
  sizes.push_back(a.sym_size(-2));
  sizes.push_back(b.sym_size(-1));
  return at::empty_symint(sizes, a.options().memory_format(at::MemoryFormat::Contiguous));
}

Tensor matmul_meta(const Tensor& a, const Tensor& b) {
  return on_matrices(a, b, empty_product);
}

/// Where the matrices of x begin, in the order of the batch `sizes`, to which it is expanded.
std::vector<int64_t> matrix_offsets(const Tensor& x, at::IntArrayRef sizes) {
  std::vector<int64_t> offsets(1, 0);
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    std::vector<int64_t> inner;
    for (const int64_t offset : offsets)
      for (int64_t i = 0; i < sizes[d]; ++i) inner.push_back(offset + i * x.stride(static_cast<int64_t>(d)));
    offsets = std::move(inner);
  }
  return offsets;
}

Tensor expanded(const Tensor& x, at::IntArrayRef batch) {
  std::vector<int64_t> sizes = batch.vec();
  sizes.insert(sizes.end(), {x.size(-2), x.size(-1)});
  return x.expand(sizes);
}

void multiply(const Tensor& a, const Tensor& b, const Tensor& y) {
  const at::IntArrayRef batch = y.sizes().slice(0, static_cast<std::size_t>(y.dim() - 2)),
                        b_batch = b.sizes().slice(0, static_cast<std::size_t>(b.dim() - 2));
  const Tensor wide_a = expanded(a, batch);
  const std::vector<int64_t> a_offsets = matrix_offsets(wide_a, batch),
                             b_offsets = matrix_offsets(b, b_batch);
  // Of each product the number of its b: the offsets of an array of one element a matrix.
  const Tensor numbers =
      at::arange(std::ssize(b_offsets), at::kLong).reshape(b_batch).expand(batch).contiguous();
  kernels::AlignedVector<float> packed(
      b_offsets.size() * static_cast<std::size_t>(kernels::packed_float_size(b.size(-1), b.size(-2))));
  const kernels::FloatMatmul args{.products = std::ssize(a_offsets),
                                  .m = y.size(-2),
                                  .n = y.size(-1),
                                  .k = a.size(-1),
                                  .a = a.const_data_ptr<float>(),
                                  .a_row_stride = a.stride(-2),
                                  .a_offsets = a_offsets.data(),
                                  .b = b.const_data_ptr<float>(),
                                  .b_row_stride = b.stride(-2),
                                  .b_column_stride = b.stride(-1),
                                  .b_offsets = b_offsets.data(),
                                  .b_count = std::ssize(b_offsets),
                                  .b_of = numbers.const_data_ptr<int64_t>(),
                                  .packed = packed.data(),
                                  .y = y.mutable_data_ptr<float>()};
  const int64_t block = args.k * kernels::kColumnBlock, work = args.m * args.n * args.k;
  at::parallel_for(0, args.pack_items(), 1 + at::internal::GRAIN_SIZE / (block + 1),
                   [&](int64_t begin, int64_t end) { kernels::pack_float_matrices(args, begin, end); });
  const int64_t threads = at::get_num_threads();
  const int64_t parts = args.products >= threads || work < kLeastProductsToShare ? 1 : threads;
  at::parallel_for(
      0, args.products * parts, 1 + kLeastProductsToShare / (work / parts + 1),
      [&](int64_t begin, int64_t end) { kernels::multiply_float_matrices(args, parts, begin, end); });
}

Tensor matmul_matrices(const Tensor& a_any, const Tensor& b) {
  Tensor y = empty_product(a_any, b);
  if (y.numel() == 0) return y;
  Tensor a = a_any.stride(-1) == 1 || a_any.size(-1) <= 1 ? a_any : a_any.contiguous();
  if (b.numel() == b.size(-1) * b.size(-2) && y.dim() == a.dim()) {
    // One b for all rows: one product.
    const int64_t rows = y.numel() / y.size(-1);  // a may have no elements
    multiply(a.reshape({rows, a.size(-1)}), b.reshape({b.size(-2), b.size(-1)}), y.view({rows, y.size(-1)}));
  } else {
    multiply(a, b, y);
  }
  return y;
}

Tensor matmul_cpu(const Tensor& a, const Tensor& b) {
  return on_matrices(a, b, matmul_matrices);
}

struct MatmulFunction : torch::autograd::Function<MatmulFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& a, const Tensor& b) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({a, b});
    return ops::matmul(a, b);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &a = saved[0], &b = saved[1], &grad_y = grads[0];
    const auto summed = [](const Tensor& grad, const Tensor& like) {
      return at::sum_to(grad, like.sym_sizes());
    };
    return {context->needs_input_grad(0) ? summed(grad_y.matmul(b.transpose(-1, -2)), a) : Tensor(),
            context->needs_input_grad(1) ? summed(a.transpose(-1, -2).matmul(grad_y), b) : Tensor()};
  }
};

Tensor matmul_autograd(const Tensor& a, const Tensor& b) {
  return on_matrices(
      a, b, [](const Tensor& rows, const Tensor& columns) { return MatmulFunction::apply(rows, columns); });
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("matmul", matmul_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("matmul", matmul_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("matmul", matmul_autograd);
}

}  // namespace samebits::ops
