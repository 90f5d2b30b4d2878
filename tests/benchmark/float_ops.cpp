// The exact float operators beside ATen's of the same job: functions, softmax, norms, reductions; make bench
// NAME=float_ops. In cache and out of it, one thread and two.
#include <ATen/Parallel.h>
#include <malloc.h>
#include <torch/torch.h>

#include "csrc/float/functions.h"
#include "csrc/float/norms.h"
#include "csrc/float/reduce.h"
#include "csrc/float/softmax.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using torch::Tensor;

struct Case {
  std::string name;
  std::function<Tensor()> ours, aten;
};

std::vector<Case> function_cases(const Tensor& x) {
  const Tensor positive = x.abs() + 0.1;
  return {
      {"exp", [=] { return ops::exp(x); }, [=] { return at::exp(x); }},
      {"log", [=] { return ops::log(positive); }, [=] { return at::log(positive); }},
      {"tanh", [=] { return ops::tanh(x); }, [=] { return at::tanh(x); }},
      {"sigmoid", [=] { return ops::sigmoid(x); }, [=] { return at::sigmoid(x); }},
      {"erf", [=] { return ops::erf(x); }, [=] { return at::erf(x); }},
      {"silu", [=] { return ops::silu(x); }, [=] { return at::silu(x); }},
      {"gelu", [=] { return ops::gelu(x, "none"); }, [=] { return at::gelu(x); }},
      {"gelu, tanh", [=] { return ops::gelu(x, "tanh"); }, [=] { return at::gelu(x, "tanh"); }},
      {"elu", [=] { return ops::elu(x, 1, 1, 1); }, [=] { return at::elu(x); }},
      {"leaky_relu", [=] { return ops::leaky_relu(x, 0.01); }, [=] { return at::leaky_relu(x); }},
      {"hardsigmoid", [=] { return ops::hardsigmoid(x); }, [=] { return at::hardsigmoid(x); }},
      {"hardswish", [=] { return ops::hardswish(x); }, [=] { return at::hardswish(x); }},
      {"sqrt", [=] { return ops::sqrt(positive); }, [=] { return at::sqrt(positive); }},
      {"rsqrt", [=] { return ops::rsqrt(positive); }, [=] { return at::rsqrt(positive); }},
  };
}

/// x [rows, n].
std::vector<Case> row_cases(const Tensor& x) {
  const std::vector<std::int64_t> shape = {x.size(1)}, last = {1}, first = {0};
  const Tensor weight = torch::rand(shape), bias = torch::randn(shape);
  return {
      {"softmax", [=] { return ops::softmax(x, 1); }, [=] { return at::softmax(x, 1); }},
      {"log_softmax", [=] { return ops::log_softmax(x, 1); }, [=] { return at::log_softmax(x, 1); }},
      {"softmax, columns", [=] { return ops::softmax(x, 0); }, [=] { return at::softmax(x, 0); }},
      {"layer_norm", [=] { return ops::layer_norm(x, shape, weight, bias, 1e-5); },
       [=] { return at::layer_norm(x, shape, weight, bias, 1e-5); }},
      {"rms_norm", [=] { return ops::rms_norm(x, shape, weight, 1e-5); },
       [=] { return at::rms_norm(x, shape, weight, 1e-5); }},
      {"mean", [=] { return ops::mean(x, last); }, [=] { return at::mean(x, last); }},
      {"mean, columns", [=] { return ops::mean(x, first); }, [=] { return at::mean(x, first); }},
      {"amax", [=] { return ops::amax(x, last); }, [=] { return at::amax(x, last); }},
  };
}

/// x [batch, channels, height, width].
std::vector<Case> image_cases(const Tensor& x) {
  const std::int64_t channels = x.size(1);
  const Tensor weight = torch::rand({channels}), bias = torch::randn({channels}),
               mean = torch::randn({channels}), var = torch::rand({channels}) + 0.1;
  const std::vector<std::int64_t> one = {1, 1};
  return {
      {"group_norm", [=] { return ops::group_norm(x, 8, weight, bias, 1e-5); },
       [=] { return at::group_norm(x, 8, weight, bias, 1e-5); }},
      {"batch_norm", [=] { return ops::eval_batch_norm(x, weight, bias, mean, var, 1e-5); },
       [=] { return at::batch_norm(x, weight, bias, mean, var, false, 0.1, 1e-5, false); }},
      {"adaptive_avg_pool2d", [=] { return ops::adaptive_avg_pool2d(x, one); },
       [=] { return at::adaptive_avg_pool2d(x, one); }},
  };
}

void compare(Table& table, const std::string& size, const std::vector<Case>& cases, double elements,
             int rounds) {
  for (const Case& each : cases) {
    const std::vector<double> seconds =
        interleaved_minimum({{"ours", [&] { each.ours(); }}, {"ATen", [&] { each.aten(); }}}, rounds);
    const double nanoseconds = 1e9 / elements;
    table.add({size,
               each.name,
               "time",
               nanoseconds * seconds[0],
               "ns/element",
               "ATen",
               seconds[0] / seconds[1],
               {{"ATen, ns/element", digits(nanoseconds * seconds[1])},
                {"of ATen's time", digits(seconds[0] / seconds[1])}}});
  }
}

void compare_all(Table& table, int threads) {
  at::set_num_threads(threads);
  torch::manual_seed(0);
  const std::string suffix = threads == 1 ? ", 1 thread" : ", " + std::to_string(threads) + " threads";
  for (const auto& [rows, n] : {std::pair{128, 768}, {16384, 768}, {1536, 128}, {1000, 197}}) {
    const Tensor x = torch::randn({rows, n}) * 2;
    const std::string size = std::to_string(rows) + " x " + std::to_string(n) + suffix;
    const int rounds = rows * n > 1 << 20 ? 10 : 200;
    if (n == 768) compare(table, size, function_cases(x), static_cast<double>(x.numel()), rounds);
    compare(table, size, row_cases(x), static_cast<double>(x.numel()), rounds);
  }
  const Tensor images = torch::randn({32, 64, 28, 28});
  compare(table, "32 x 64 x 28 x 28" + suffix, image_cases(images), static_cast<double>(images.numel()), 50);
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  // Nobody pays for page faults on memory that was freed a moment ago.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  const torch::NoGradGuard no_grad;
  samebits::benchmark::Table table(argc, argv);
  for (const int threads : {1, 2}) samebits::benchmark::compare_all(table, threads);
}
