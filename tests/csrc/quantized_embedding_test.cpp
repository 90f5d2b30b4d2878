// csrc/quantize/quantized_embedding.h: the reals of the codes that quant::encode() gives for the whole table, the
// gradient of at::embedding, and every refusal.
#include "csrc/quantize/quantized_embedding.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "quant/encode.h"
#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class QuantizedEmbedding : public OpTest {};

/// The nearest of qmin..qmax steps of the largest magnitude of each row, in plain loops.
Tensor expected(const Tensor& weight, const Tensor& ids, int bits) {
  const int qmax = (1 << (bits - 1)) - 1, qmin = bits == 8 ? -qmax : -qmax - 1;
  Tensor table = at::zeros_like(weight);
  for (std::int64_t row = 0; row < weight.size(0); ++row) {
    const float scale = quant::encode(weight[row].contiguous().const_data_ptr<float>(), {1, weight.size(1)},
                                      embedding_encoding(bits))
                            .scale[0];
    for (std::int64_t column = 0; column < weight.size(1); ++column) {
      // A code has one zero: -0.4 gives 0, as + 0.0f does.
      const float code = std::nearbyint(weight[row][column].item<float>() / scale);
      table[row][column] =
          (std::clamp(code, static_cast<float>(qmin), static_cast<float>(qmax)) + 0.0f) * scale;
    }
  }
  return at::embedding(table, ids);
}

TEST_F(QuantizedEmbedding, GivesTheRealsOfTheCodesOfItsRows) {
  for (const int bits : {2, 3, 4, 7, 8}) {
    const Tensor weight = at::randn({9, 21}) * at::logspace(-3, 3, 9).unsqueeze(1);
    for (const std::vector<std::int64_t>& shape :
         std::vector<std::vector<std::int64_t>>{{5}, {3, 4}, {}, {0}, {2, 0}}) {
      const Tensor ids = at::randint(9, shape, at::kLong);
      const Tensor y = quantized_embedding(weight, ids, bits);
      EXPECT_EQ(first_difference(y, expected(weight, ids, bits)), "") << bits;
      expect_same_description(quantized_embedding(weight.to(at::kMeta), ids.to(at::kMeta), bits), y);
    }
  }
}

TEST_F(QuantizedEmbedding, GivesRowsThatAreNearTheFloats) {
  const Tensor weight = at::randn({50, 64}), ids = at::arange(50);
  const Tensor steps = weight.abs().amax(1, true) / 127;
  EXPECT_TRUE(((quantized_embedding(weight, ids, 8) - weight).abs() <= steps * 0.51).all().item<bool>());
}

TEST_F(QuantizedEmbedding, PassesTheGradientStraightThroughButForThePadding) {
  const Tensor ids = at::tensor({3, 1, 3, 0, 2}, at::kLong), out = at::randn({5, 4});
  for (const std::int64_t padding : {-1, 2}) {
    Tensor ours = at::randn({5, 4}).requires_grad_(), theirs = ours.detach().clone().requires_grad_();
    quantized_embedding(ours, ids, 4, padding).backward(out);
    at::embedding(theirs, ids, padding).backward(out);
    EXPECT_EQ(first_difference(ours.grad(), theirs.grad()), "");
  }
}

TEST_F(QuantizedEmbedding, GivesTheSameBitsAtAnyThreadCount) {
  const Tensor weight = at::randn({100, 384}), ids = at::randint(100, {40, 64}, at::kLong);
  const Tensor y = quantized_embedding(weight, ids, 8);
  at::set_num_threads(3);
  EXPECT_EQ(first_difference(quantized_embedding(weight, ids, 8), y), "");
}

TEST_F(QuantizedEmbedding, RefusesWhatItCannotTake) {
  const Tensor weight = at::randn({4, 3}), ids = at::tensor({0, 3}, at::kLong);
  Tensor holed = weight.clone();
  holed[3][1] = std::numeric_limits<float>::quiet_NaN();
  const std::pair<const char*, std::function<void()>> kCases[] = {
      {"[quantized_embedding] weight: expected float32, got float64; call .to(torch::kFloat)",
       [&] { quantized_embedding(weight.to(at::kDouble), ids, 8); }},
      {"[quantized_embedding] weight: expected [rows, columns], got shape [12]",
       [&] { quantized_embedding(weight.flatten(), ids, 8); }},
      {"[quantized_embedding] bits: expected 2..8, got 9", [&] { quantized_embedding(weight, ids, 9); }},
      {"[quantized_embedding] bits: expected 2..8, got 1", [&] { quantized_embedding(weight, ids, 1); }},
      {"[quantized_embedding] ids: expected places in 0..3, got 4",
       [&] {
         quantized_embedding(weight, at::tensor({0, 4}, at::kLong), 8);
       }},
      {"[quantized_embedding] ids: expected places in 0..3, got -1",
       [&] { quantized_embedding(weight, at::tensor({-1}, at::kLong), 8); }},
      {"[quantized_embedding] weight: expected finite values, got others in row 3",
       [&] { quantized_embedding(holed, ids, 8); }},
  };
  for (const auto& [text, run] : kCases) EXPECT_EQ(error_of(run), text);
}

}  // namespace
}  // namespace samebits::ops
