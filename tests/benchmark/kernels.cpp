// The element-wise kernels, each beside ATen's operator for the same job and beside copy_ of as many bytes,
// which is the limit of memory.
#include <ATen/Parallel.h>
#include <malloc.h>
#include <torch/torch.h>

#include <cstdio>

#include "tests/benchmark/kernel_cases.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using torch::Tensor;

/// Seconds of a case's variants; 0 for what the case has not.
struct Times {
  double ours = 0, copy = 0, aten = 0, float32 = 0;
};

Times measure(const Case& each, const Tensor& from, Tensor& to, int rounds) {
  std::vector<Variant> variants = {{"ours", each.ours}, {"copy_", [&] { to.copy_(from); }}};
  if (each.aten) variants.push_back({"ATen", each.aten});
  if (each.not_slower_than) variants.push_back({"float32", each.not_slower_than});
  const std::vector<double> seconds = interleaved_minimum(variants, rounds);
  Times times{.ours = seconds[0], .copy = seconds[1]};
  if (each.aten) times.aten = seconds[2];
  if (each.not_slower_than) times.float32 = seconds.back();
  return times;
}

/// "8.125", "10".
std::string plain(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// The target as text and whether it is reached; both empty where there is none.
std::pair<std::string, std::string> judged(const Case& each, const Times& times) {
  std::vector<std::string> wanted;
  bool reached = true;
  if (each.target.speed_up > 0) {
    wanted.push_back(">= " + plain(each.target.speed_up) + "x ATen");
    reached = reached && times.aten / times.ours >= each.target.speed_up;
  }
  if (each.target.share > 0) {
    wanted.push_back(">= " + plain(each.target.share) + " of copy_");
    reached = reached && times.copy / times.ours >= each.target.share;
  }
  if (each.not_slower_than) {
    wanted.push_back("not slower than float32");
    reached = reached && times.ours <= times.float32;
  }
  if (wanted.empty()) return {};
  std::string text = wanted[0];
  for (std::size_t i = 1; i < wanted.size(); ++i) text += ", " + wanted[i];
  return {text, reached ? "yes" : "no"};
}

void add_row(Table& table, const std::string& name, const Case& each, const Times& times, std::int64_t n) {
  const double elements = static_cast<double>(n), nanoseconds = 1e9 / elements;
  const auto [target, reached] =
      n == kTargetSize ? judged(each, times) : std::pair<std::string, std::string>();
  const bool has_peer = times.aten > 0;
  table.add({name,
             each.name,
             "time",
             nanoseconds * times.ours,
             "ns/element",
             has_peer ? "ATen" : "copy_",
             times.ours / (has_peer ? times.aten : times.copy),
             {{"ATen, ns/element", has_peer ? digits(nanoseconds * times.aten) : ""},
              {"speed-up", has_peer ? digits(times.aten / times.ours) + "x" : ""},
              {"bytes/element", plain(each.bytes)},
              {"GB/s", digits(1e-9 * each.bytes * elements / times.ours)},
              {"of copy_", digits(times.copy / times.ours)},
              {"target", target},
              {"reached", reached}}});
}

void compare(Table& table, std::int64_t n, int threads, int rounds) {
  at::set_num_threads(threads);
  torch::manual_seed(0);
  const Operands operands(n);
  const std::string size = n >= 1 << 20 ? std::to_string(n >> 20) + " Mi" : std::to_string(n >> 10) + " Ki";
  const std::string name = size + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  for (const auto make_cases : {forward_cases, backward_cases, code_cases}) {
    for (const Case& each : make_cases(operands)) {
      const auto copied = static_cast<std::int64_t>(each.bytes * static_cast<double>(n) / 8);
      const Tensor from = torch::ones({copied});
      Tensor to = torch::empty({copied});
      add_row(table, name, each, measure(each, from, to, rounds), n);
    }
  }
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  // Nobody pays for page faults on memory that was freed a moment ago.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  const torch::NoGradGuard no_grad;
  samebits::benchmark::Table table(argc, argv);
  for (const int threads : {1, 2}) {
    samebits::benchmark::compare(table, 1 << 16, threads, 100);
    samebits::benchmark::compare(table, 1 << 20, threads, 20);
    samebits::benchmark::compare(table, 1 << 25, threads, 4);
  }
}
