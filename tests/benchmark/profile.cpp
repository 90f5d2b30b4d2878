// Where the time of a training step goes: the feed-forward network in float32 and in int8, by phase.
// Operators are timed where they are called (at::RecordFunction) without what they call in turn; phases add
// up to the step.
#include <ATen/record_function.h>
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "include/samebits/samebits.h"
#include "tests/benchmark/ffn.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using Clock = std::chrono::steady_clock;
using torch::Tensor;

enum Part { kForward, kBackward, kOptimizer };
constexpr const char* kPartNames[] = {"forward", "backward", "optimizer"};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds of each phase of one step; the phase of an operator is "forward: samebits::linear".
using Phases = std::map<std::string, double>;

/// Adds up the operators that this thread runs, and what no operator accounts for. Backward of CPU tensors
/// runs on the thread that asks for it.
class Profile {
 public:
  /// Runs `body` as one part of the step.
  template <class Body>
  void run(Part part, const Body& body) {
    part_ = part;
    own_.clear();
    inside_operators_ = 0;
    const Clock::time_point begin = Clock::now();
    body();
    const double total = seconds_since(begin);
    phases_[std::string(kPartNames[part]) + ": between operators"] += total - inside_operators_;
  }
  /// Phases since the last call, and the step as "step".
  Phases take() {
    Phases result;
    std::swap(result, phases_);
    double total = 0;
    for (const auto& phase : result) total += phase.second;
    result["step"] = total;
    return result;
  }

  void enter() { own_.push_back({Clock::now(), 0}); }
  void leave(const std::string& name) {
    const auto [begin, children] = own_.back();
    own_.pop_back();
    const double all = seconds_since(begin);
    phases_[std::string(kPartNames[part_]) + ": " + name] += all - children;
    (own_.empty() ? inside_operators_ : own_.back().children) += all;
  }

 private:
  struct Open {
    Clock::time_point begin;
    double children;  // seconds of the operators it called
  };
  Part part_ = kForward;
  std::vector<Open> own_;
  double inside_operators_ = 0;
  Phases phases_;
};

Profile* current = nullptr;

std::unique_ptr<at::ObserverContext> on_enter(const at::RecordFunction&) {
  current->enter();
  return nullptr;
}

/// "CppNode<...::LinearFunction>" is shown as "LinearFunction".
std::string short_name(const std::string& name) {
  if (name.find("Function") == std::string::npos) return name;
  const std::size_t last_colon = name.rfind(':');
  const std::size_t begin = last_colon == std::string::npos ? 0 : last_colon + 1;
  const std::size_t end = name.find('>', begin);
  return name.substr(begin, end == std::string::npos ? end : end - begin);
}

void on_leave(const at::RecordFunction& function, at::ObserverContext*) {
  current->leave(short_name(function.name()));
}

/// A model with its optimizer and a fixed batch.
struct Trainee {
  std::string variant;
  std::function<Tensor()> forward;
  Tensor grad_y;
  std::shared_ptr<torch::optim::SGD> optimizer;

  Phases profiled_step(Profile& profile) {
    Tensor y;
    profile.run(kForward, [&] { y = forward(); });
    profile.run(kBackward, [&] { y.backward(grad_y); });
    profile.run(kOptimizer, [&] {
      optimizer->step();
      optimizer->zero_grad();
    });
    return profile.take();
  }
};

template <class Model>
Trainee trainee(const std::string& variant, const std::shared_ptr<Model>& model, const Tensor& x) {
  return {variant, [model, x] { return model->forward(x); }, torch::randn_like(x) / 1024,
          std::make_shared<torch::optim::SGD>(model->parameters(), torch::optim::SGDOptions(1e-4))};
}

Trainee qat_trainee(const std::string& variant, const Tensor& x, BackwardMode backward) {
  const auto model = std::make_shared<QatFfn>();
  QConfig config = QConfig::preset("int8");
  config.defaults.backward = backward;
  prepare(*model, config, x, /*observe_steps=*/1);
  model->train();
  const torch::NoGradGuard no_grad;
  model->forward(x);  // observed: from here on integers
  return trainee(variant, model, x);
}

/// The steps of all, interleaved; of each the fastest.
std::vector<Phases> fastest_steps(std::vector<Trainee>& all, int rounds) {
  Profile profile;
  current = &profile;
  const at::CallbackHandle handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(on_enter, on_leave)
                                     .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION,
                                              at::RecordScope::USER_SCOPE}));
  std::vector<Phases> fastest(all.size());
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      Phases phases = all[i].profiled_step(profile);
      if (round >= 0 && (fastest[i].empty() || phases["step"] < fastest[i]["step"]))
        fastest[i] = std::move(phases);
    }
  }
  at::removeCallback(handle);
  current = nullptr;
  return fastest;
}

/// One row a phase, the largest first; phases below 1 % of the step in one row for each part.
void add_rows(Table& table, const std::string& variant, const Phases& phases, double fp32_step) {
  const double step = phases.at("step");
  std::vector<std::pair<std::string, double>> shown;
  std::map<std::string, double> rest;
  for (const auto& [phase, seconds] : phases) {
    if (phase == "step") continue;
    if (seconds < 0.01 * step)
      rest[phase.substr(0, phase.find(':')) + ": everything else"] += seconds;
    else
      shown.emplace_back(phase, seconds);
  }
  shown.insert(shown.end(), rest.begin(), rest.end());
  std::sort(shown.begin(), shown.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  shown.emplace_back("step", step);
  for (const auto& [phase, seconds] : shown)
    table.add({variant,
               phase,
               "time",
               1e3 * seconds,
               "ms",
               "fp32 step",
               seconds / fp32_step,
               {{"share of the step", digits(100 * seconds / step) + " %"},
                {"share of the FP32 step", digits(100 * seconds / fp32_step) + " %"}}});
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  using namespace samebits::benchmark;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  Table table(argc, argv);
  torch::manual_seed(0);
  const torch::Tensor x = torch::randn({1024, kFfnWidth});
  std::vector<Trainee> all;
  all.push_back(trainee("fp32", std::make_shared<FloatFfn>(), x));
  all.push_back(qat_trainee("int8, backward f32", x, samebits::BackwardMode::kFloat32));
  all.push_back(qat_trainee("int8, backward bf16", x, samebits::BackwardMode::kBfloat16));
  const std::vector<Phases> steps = fastest_steps(all, 6);
  for (std::size_t i = 0; i < all.size(); ++i) add_rows(table, all[i].variant, steps[i], steps[0].at("step"));
}
