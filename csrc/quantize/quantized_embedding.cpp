// torch operator: schema, checks, CPU, Meta, autograd.
#include "csrc/quantize/quantized_embedding.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <atomic>

#include "csrc/common/check.h"
#include "kernels/common/affine.h"
#include "quant/encode.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("quantized_embedding(Tensor weight, Tensor ids, int bits, int padding_idx=-1) -> Tensor");
}

quant::Encoding embedding_encoding(int64_t bits) {
  const std::int32_t half = 1 << (bits - 1);
  return {.bits = static_cast<int>(bits), .qmin = bits == 8 ? 1 - half : -half, .qmax = half - 1};
}

Tensor quantized_embedding(const Tensor& weight, const Tensor& ids, int64_t bits, int64_t padding_idx) {
  static const auto op = find_op<decltype(quantized_embedding)>("samebits::quantized_embedding");
  return op.call(weight, ids, bits, padding_idx);
}

namespace {

constexpr char kOp[] = "quantized_embedding";

Tensor embedding_meta(const Tensor& weight, const Tensor& ids, int64_t bits, int64_t) {
  check_dtype(kOp, "weight", weight, at::kFloat);
  check_dtype(kOp, "ids", ids, at::kLong);
  TORCH_CHECK(weight.dim() == 2, "[quantized_embedding] weight: expected [rows, columns], got shape ",
              weight.sym_sizes());
  TORCH_CHECK(bits >= 2 && bits <= 8, "[quantized_embedding] bits: expected 2..8, got ", bits);
  std::vector<c10::SymInt> sizes = ids.sym_sizes().vec();
  sizes.push_back(weight.sym_size(1));
  return at::empty_symint(sizes, weight.options());
}

Tensor embedding_cpu(const Tensor& weight_any, const Tensor& ids_any, int64_t bits, int64_t padding_idx) {
  const Tensor y = embedding_meta(weight_any, ids_any, bits, padding_idx);
  const Tensor weight = weight_any.contiguous(), ids = ids_any.contiguous();
  const int64_t rows = weight.size(0), columns = weight.size(1);
  const quant::Encoding encoding = embedding_encoding(bits);
  const int64_t* places = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i)
    TORCH_CHECK_INDEX(places[i] >= 0 && places[i] < rows, "[quantized_embedding] ids: expected places in 0..",
                      rows - 1, ", got ", places[i]);
  if (y.numel() == 0) return y;
  const float* values = weight.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  std::atomic<int64_t> not_finite = -1;
  at::parallel_for(0, ids.numel(), 1 + at::internal::GRAIN_SIZE / columns, [&](int64_t begin, int64_t end) {
    std::vector<std::int8_t> codes(static_cast<std::size_t>(columns));
    for (int64_t i = begin; i < end; ++i) {
      float scale = 0;
      const quant::WeightView row{values + places[i] * columns, 1, columns, &scale, nullptr};
      if (quant::find_grids(encoding, row, 0, 1)) not_finite = places[i];
      quant::encode_rows(encoding, row, 0, 1, codes.data(), nullptr);
      const kernels::AffineGrid grid{scale, 0, encoding.qmin, encoding.qmax};
      for (int64_t c = 0; c < columns; ++c) to[i * columns + c] = kernels::dequantize(codes[c], grid);
    }
  });
  TORCH_CHECK(not_finite < 0, "[quantized_embedding] weight: expected finite values, got others in row ",
              not_finite.load());
  return y;
}

struct EmbeddingFunction : torch::autograd::Function<EmbeddingFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& weight, const Tensor& ids, int64_t bits,
                        int64_t padding_idx) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({ids});
    context->saved_data["rows"] = weight.sym_size(0);
    context->saved_data["padding_idx"] = padding_idx;
    return ops::quantized_embedding(weight, ids, bits, padding_idx);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor ids = context->get_saved_variables()[0];
    return {at::embedding_dense_backward_symint(grads[0], ids, context->saved_data["rows"].toSymInt(),
                                                context->saved_data["padding_idx"].toInt(),
                                                /*scale_grad_by_freq=*/false),
            {},
            {},
            {}};
  }
};

Tensor embedding_autograd(const Tensor& weight, const Tensor& ids, int64_t bits, int64_t padding_idx) {
  return EmbeddingFunction::apply(weight, ids, bits, padding_idx);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("quantized_embedding", embedding_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("quantized_embedding", embedding_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("quantized_embedding", embedding_autograd);
}

}  // namespace samebits::ops
