// What the tests of csrc/ share: errors as text, comparison by bits, the layouts that grids may have, and a
// float surrogate of fake quantization made of torch operators alone.
#pragma once

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "tests/kernels/kernel_test.h"
#include "tests/oracle.h"

namespace samebits::ops {

using at::Tensor;

/// Skips what this machine cannot run, and gives every test the same random numbers and one thread: two that
/// wait for each other on a busy machine take seconds where one takes milliseconds.
class OpTest : public kernels::KernelTest {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    at::set_num_threads(1);
    KernelTest::SetUp();
  }
};

/// The text of the error that `run` throws, or "no error".
template <class Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "no error";
}

/// A call and the whole text of its error.
struct ErrorCase {
  std::string expected;
  std::function<void()> call;
};
inline void expect_errors(const std::vector<ErrorCase>& cases) {
  for (const ErrorCase& c : cases) EXPECT_EQ(error_of(c.call), c.expected);
}

/// Empty when both have the same shape, dtype and bits, else where they first differ.
inline std::string first_difference(const Tensor& got_any, const Tensor& expected_any) {
  if (!got_any.defined() || !expected_any.defined())
    return got_any.defined() == expected_any.defined() ? "" : "one of the tensors is undefined";
  const Tensor got = got_any.detach().contiguous(), expected = expected_any.detach().contiguous();
  if (got.sizes() != expected.sizes() || got.scalar_type() != expected.scalar_type())
    return c10::str(got.scalar_type(), got.sizes(), ", expected ", expected.scalar_type(), expected.sizes());
  const auto* a = static_cast<const char*>(got.const_data_ptr());
  const auto* b = static_cast<const char*>(expected.const_data_ptr());
  const auto size = static_cast<std::int64_t>(got.element_size());
  for (std::int64_t i = 0; i < got.numel(); ++i) {
    if (std::memcmp(a + i * size, b + i * size, size) != 0)
      return c10::str("element ", i, ": ", got.flatten()[i].item(), ", expected ",
                      expected.flatten()[i].item());
  }
  return "";
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const Tensor flat = tensor.detach().contiguous();
  return {flat.const_data_ptr<T>(), flat.const_data_ptr<T>() + flat.numel()};
}
inline Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::tensor(values).reshape(shape);
}

/// What a Meta kernel must tell of `expected`.
inline void expect_same_description(const Tensor& got, const Tensor& expected) {
  EXPECT_TRUE(got.is_meta());
  EXPECT_EQ(got.sizes(), expected.sizes());
  EXPECT_EQ(got.strides(), expected.strides());
  EXPECT_EQ(got.scalar_type(), expected.scalar_type());
}

/// Runs `run` with 1 and with 2 threads; both results.
template <class Run>
auto with_1_and_2_threads(Run run) {
  auto one = run();
  at::set_num_threads(2);
  auto two = run();
  at::set_num_threads(1);
  return std::pair(one, two);
}

/// Where the grids of a tensor lie.
struct Layout {
  const char* why;
  std::vector<std::int64_t> shape, grid_shape;
  std::int64_t axis = 0, group_size = 0;

  /// The grid of the element of that row-major index, from its coordinates.
  std::int64_t grid_index(std::int64_t element) const {
    if (group_size > 0) {
      std::int64_t row_length = 1;
      for (std::size_t d = 1; d < shape.size(); ++d) row_length *= shape[d];
      return element / row_length * grid_shape[1] + element % row_length / group_size;
    }
    if (grid_shape.empty() || grid_shape[0] == 1) return 0;
    std::int64_t inner = 1;
    const std::size_t first_inner = axis < 0 ? shape.size() + axis + 1 : axis + 1;
    for (std::size_t d = first_inner; d < shape.size(); ++d) inner *= shape[d];
    return element / inner % grid_shape[0];
  }
};
inline const Layout kLayouts[] = {
    {"per tensor", {5, 7}, {1}},
    {"per tensor, a scale without dimensions", {3, 2, 3}, {}},
    {"one number without dimensions", {}, {1}},
    {"per channel of the first axis", {3, 5, 2}, {3}},
    {"per channel of a middle axis", {3, 5, 2}, {5}, 1},
    {"per channel of the last axis, counted from the end", {3, 4, 5}, {5}, -1},
    {"groups that divide the row", {3, 8}, {3, 2}, 0, 4},
    {"groups with a short last one", {3, 10}, {3, 3}, 0, 4},
    {"a group longer than the row", {3, 10}, {3, 1}, 0, 32},
    {"groups over all dimensions but the first", {2, 3, 4}, {2, 2}, 0, 6},
    {"no elements", {0, 4}, {1}},
    {"no elements, per channel", {0, 4}, {4}, 1},
};

/// A range of codes for every width, full and narrow.
struct CodeRange {
  std::int64_t qmin, qmax;
};
inline const CodeRange kCodeRanges[] = {{-128, 127}, {-127, 127}, {-64, 63}, {-32, 31}, {-16, 15},
                                        {-8, 7},     {-4, 3},     {-2, 1},   {0, 127}};

/// Different grids for a layout: scale, zero_point.
struct GridTensors {
  Tensor scale, zero_point;
  GridTensors(const Layout& layout, const CodeRange& range) {
    scale = at::rand(layout.grid_shape) * 0.1 + 0.01;
    zero_point = at::randint(range.qmin, range.qmax + 1, layout.grid_shape, at::kInt);
  }
  oracle::Grid grid(const CodeRange& range, std::int64_t index) const {
    return {scale.flatten()[index].item<float>(), zero_point.flatten()[index].item<int>(),
            static_cast<int>(range.qmin), static_cast<int>(range.qmax)};
  }
};

/// Values of which about a tenth leave the grids.
inline Tensor values_for(const Layout& layout, const CodeRange& range) {
  return at::randn(layout.shape) * 0.02 * static_cast<double>(range.qmax - range.qmin);
}

/// The same numbers laid out differently in memory, with why.
inline std::vector<std::pair<const char*, Tensor>> memory_layouts(const Tensor& x) {
  std::vector<std::pair<const char*, Tensor>> result = {{"contiguous", x}};
  if (x.dim() < 2) return result;
  const Tensor columns_first = x.transpose(0, -1).contiguous().transpose(0, -1);
  result.emplace_back("transposed", columns_first);
  result.emplace_back("every second element of a row", at::stack({x, x + 1}, -1).select(-1, 0));
  if (x.dim() == 4) result.emplace_back("channels last", x.contiguous(at::MemoryFormat::ChannelsLast));
  return result;
}

/// Fake quantization and its straight-through gradient in torch's own operators: grids expanded to x's shape.
struct Surrogate : torch::autograd::Function<Surrogate> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& scale,
                        const Tensor& zero_point, std::int64_t qmin, std::int64_t qmax) {
    const Tensor position = at::round(x / scale) + zero_point;
    context->save_for_backward({at::logical_and(position >= qmin, position <= qmax)});
    return (at::clamp(position, qmin, qmax) - zero_point) * scale;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const Tensor inside = context->get_saved_variables()[0];
    return {at::where(inside, grads[0], at::zeros_like(grads[0])), {}, {}, {}, {}};
  }
};

}  // namespace samebits::ops
