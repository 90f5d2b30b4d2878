// The jobs that kernels.cpp measures: each by our kernel, and by ATen's operator where there is one.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace samebits::benchmark {

constexpr std::int64_t kRowLength = 1024;      // tensors are [n / 1024, 1024]
constexpr std::int64_t kTargetSize = 1 << 20;  // targets are for tensors of this size

/// What a line promises at kTargetSize; 0: nothing.
struct Target {
  double speed_up = 0;  // ATen's time / ours
  double share = 0;     // of the bandwidth of copy_
};

/// One line: the same job done by both.
struct Case {
  std::string name;
  double bytes;  // read and written an element
  std::function<void()> ours;
  std::function<void()> aten = nullptr;  // null: ATen has no such operator
  Target target = {};
  std::function<void()> not_slower_than = nullptr;  // a further target: ours on float32
};

/// What all cases of one size read.
struct Operands {
  explicit Operands(std::int64_t n_)
      : n(n_),
        x(torch::randn({n / kRowLength, kRowLength})),
        grad_y(torch::randn_like(x)),
        bf16(x.to(torch::kBFloat16)),
        codes(torch::randint(-8, 8, {n}, torch::kChar)) {}

  std::int64_t n;
  torch::Tensor x, grad_y, bf16, codes;
};

/// They read `operands`, which outlive them. Outputs are allocated inside what is timed, as in an operator.
std::vector<Case> forward_cases(const Operands& operands);
std::vector<Case> backward_cases(const Operands& operands);
std::vector<Case> code_cases(const Operands& operands);

}  // namespace samebits::benchmark
