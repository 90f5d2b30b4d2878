#include "training/trainer.h"

#include <ATen/Context.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <vector>

#include "kernels/common/isa.h"
#include "torch_ext/modules/layer_watch.h"
#include "training/interrupt.h"
#include "training/optimizer.h"
#include "training/report/layer_report.h"

namespace samebits::training {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

std::int64_t steps_of_epoch(const Config& config, const Datasets& data) {
  return (data.train.size() + config.data.batch_size - 1) / config.data.batch_size;
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

/// One phase as numbers.
struct Trainer::PhasePlan {
  const OptimizerConfig& optimizer;
  const ScheduleConfig& schedule;
  std::int64_t epochs;
  std::int64_t steps;      // of all epochs
  std::int64_t freeze_at;  // qat: the step from which activation scales stay
};

/// Durations of an epoch's steps since the phase last changed: observing steps do not count as integer ones.
/// The median is what the report shows: a noisy neighbour does not move it.
class Trainer::StepTimes {
 public:
  void start_epoch() {
    begin_ = Clock::now();
    steps_.clear();
  }
  void add(double seconds, const std::string& phase) {
    if (phase != phase_) steps_.clear();
    phase_ = phase;
    steps_.push_back(seconds);
  }
  double epoch_seconds() const { return seconds_since(begin_); }
  double median_ms() const {
    if (steps_.empty()) return std::nan("");
    std::vector<double> sorted = steps_;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                     sorted.end());
    return 1e3 * sorted[sorted.size() / 2];
  }

 private:
  Clock::time_point begin_ = Clock::now();
  std::vector<double> steps_;
  std::string phase_;
};

void set_up_process(const Config& config) {
  kernels::isa::forced();  // throws on an unknown SAMEBITS_ISA
  if (config.threads > 0) at::set_num_threads(static_cast<int>(config.threads));
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(
      false);  // every output is written whole; filling costs
  torch::manual_seed(config.seed);
}

void check_trainable(const Config& config, const Datasets& data) {
  build_model(config, data.train, /*is_qat=*/true);
  const std::int64_t qat_steps = config.qat.epochs * steps_of_epoch(config, data);
  TORCH_CHECK(config.qat.observe_steps < qat_steps, "[config] qat.observe_steps: expected less than the ",
              qat_steps, " steps of qat.epochs, got ", config.qat.observe_steps,
              "; observe less or train longer");
}

PreparedModel build_model(const Config& config, const Dataset& data, bool is_qat) {
  PreparedModel built;
  built.model = make_model(config.model, {data.height(), data.width(), Dataset::kClasses});
  if (is_qat) {
    const torch::Tensor example = torch::zeros({1, 1, data.height(), data.width()});
    built.prepared = prepare(*built.model, config.qat.qconfig, example, config.qat.observe_steps);
  }
  return built;
}

Trainer::Trainer(const Config& config, RunDirectory& run, const Datasets& data, bool resume)
    : config_(config),
      run_(run),
      data_(data),
      events_(run.path()),
      times_(std::make_unique<StepTimes>()),
      accuracy_percent_(std::nan("")) {
  const std::filesystem::path last = run.checkpoint("last");
  const bool has_checkpoint = resume && std::filesystem::exists(last);
  if (has_checkpoint) position_ = read_position(last);
  built_ = build_model(config, data.train, is_qat());
  optimizer_ = make_optimizer(is_qat() ? config.qat.optimizer : config.train.optimizer, *built_.model);
  if (has_checkpoint) {
    load_model(last, *built_.model);
    load_optimizer(last, *built_.model, *optimizer_);
  }
  if (resume) run_.keep_metrics_until(global_step(), /*with_ptq=*/is_qat());
}

Trainer::~Trainer() = default;

std::int64_t Trainer::steps_per_epoch() const {
  return steps_of_epoch(config_, data_);
}

std::int64_t Trainer::global_step() const {
  const std::int64_t earlier_epochs = is_qat() ? config_.train.epochs : 0;
  return (earlier_epochs + position_.epoch) * steps_per_epoch() + position_.step_in_epoch;
}

std::string Trainer::phase_text() const {
  return is_qat() && built_.prepared.has_value() ? state_name(built_.prepared->state()) : "fp32";
}

Trainer::PhasePlan Trainer::plan() const {
  const std::int64_t epochs = is_qat() ? config_.qat.epochs : config_.train.epochs;
  const std::int64_t steps = epochs * steps_per_epoch();
  const auto freeze = static_cast<std::int64_t>(config_.qat.freeze_at * static_cast<double>(steps));
  return {is_qat() ? config_.qat.optimizer : config_.train.optimizer,
          is_qat() ? config_.qat.schedule : config_.train.schedule, epochs, steps,
          std::max(freeze, config_.qat.observe_steps)};
}

bool Trainer::run() {
  try {
    return run_phases();
  } catch (const c10::Error& error) {  // the configuration was checked before: numbers went wrong
    fail(error.what_without_backtrace());
  }
}

/// A checkpoint with such a weight is never written, so that the last one is always good.
void Trainer::fail(const std::string& cause) {
  progress_.clear();
  const std::filesystem::path last = run_.checkpoint("last");
  const std::string way_out = std::filesystem::exists(last) ? "the last good checkpoint is " + last.string()
                                                            : "no checkpoint was written before";
  throw TrainingError("[train] step " + std::to_string(global_step()) + ": " + cause + "; " + way_out);
}

bool Trainer::run_phases() {
  if (!is_qat()) {
    if (!run_phase()) return false;
    save("fp32");
    start_qat();
  }
  if (!run_phase()) return false;
  if (built_.prepared->state() != QuantizerState::kFrozen) built_.prepared->freeze();
  save("final");
  return true;
}

bool Trainer::run_phase() {
  const PhasePlan phase = plan();
  while (position_.epoch < phase.epochs)
    if (!run_epoch(phase)) return false;
  return true;
}

bool Trainer::run_epoch(const PhasePlan& phase) {
  const std::int64_t global_epoch = (is_qat() ? config_.train.epochs : 0) + position_.epoch;
  const torch::Tensor order = epoch_order(data_.train.size(), config_.seed, global_epoch);
  times_->start_epoch();
  built_.model->train();
  while (position_.step_in_epoch < steps_per_epoch()) {
    train_step(phase, order);
    if (position_.step_in_epoch == steps_per_epoch()) break;
    const bool is_due =
        config_.checkpoint_every > 0 && position_.step_in_epoch % config_.checkpoint_every == 0;
    const bool ends = interrupted();
    if (is_due || ends) save("last");
    if (ends) return false;
  }
  finish_epoch(phase);
  return !interrupted();
}

void Trainer::train_step(const PhasePlan& phase, const torch::Tensor& order) {
  const std::int64_t begin = position_.step_in_epoch * config_.data.batch_size;
  const std::int64_t count = std::min(config_.data.batch_size, data_.train.size() - begin);
  Batch batch = data_.train.batch(order.narrow(0, begin, count));
  batch.images = augmented(batch.images, config_.data.augment, data_.train.background(), config_.seed,
                           position_.epoch, global_step());
  const std::int64_t phase_step = position_.epoch * steps_per_epoch() + position_.step_in_epoch;
  ++position_.step_in_epoch;  // from here on global_step() is this step's number, which messages name
  if (is_qat() && phase_step >= phase.freeze_at && built_.prepared->state() == QuantizerState::kQuantizing)
    built_.prepared->freeze();

  const auto start = Clock::now();
  const double lr = learning_rate(phase.optimizer, phase.schedule, phase_step, phase.steps);
  set_learning_rate(*optimizer_, lr);
  optimizer_->zero_grad();
  const torch::Tensor loss = forward_loss(batch);
  loss.backward();
  optimizer_->step();
  times_->add(seconds_since(start), phase_text());

  const double loss_value = loss.item<double>();
  position_.loss_sum += loss_value * static_cast<double>(count);
  position_.samples += count;
  if (global_step() % kMetricEvery == 0) {
    run_.append_metric({{"kind", "step"},
                        {"step", global_step()},
                        {"phase", phase_text()},
                        {"loss", loss_value},
                        {"lr", lr}});
    events_.scalar("train/loss", global_step(), loss_value);
    events_.scalar("train/lr", global_step(), lr);
  }
  show(phase, loss_value);
}

torch::Tensor Trainer::forward_loss(const Batch& batch) {
  const torch::Tensor loss =
      torch::nn::functional::cross_entropy(built_.model->forward(batch.images), batch.labels);
  if (!std::isfinite(loss.item<double>()))
    fail("expected finite numbers, got NaN or infinity first in " + first_non_finite(batch) +
         "; lower the learning rate or look at the data");
  return loss;
}

/// "the weight of fc1": found in a second forward, which looks at everything.
std::string Trainer::first_non_finite(const Batch& batch) {
  const torch::NoGradGuard no_grad;
  std::map<const torch::nn::Module*, std::string> names;
  for (const auto& module : built_.model->named_modules()) names[module.value().get()] = module.key();
  std::string where;
  const auto note = [&](const torch::Tensor& tensor, const std::string& text) {
    if (where.empty() && !torch::isfinite(tensor).all().item<bool>()) where = text;
  };
  note(batch.images, "the batch's images");
  const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
    note(layer.weight, "the weight of " + names[&layer]);
    note(x, "the input of " + names[&layer]);
    note(y, "the output of " + names[&layer]);
  });
  built_.model->forward(batch.images);
  return where.empty() ? "the loss" : where;
}

void Trainer::finish_epoch(const PhasePlan& phase) {
  const double seconds = times_->epoch_seconds(), step_ms = times_->median_ms();
  const Evaluation test = evaluate(*built_.model, data_.test, config_.data.batch_size);
  accuracy_percent_ = test.accuracy_percent;
  const double train_loss =
      position_.loss_sum / static_cast<double>(std::max<std::int64_t>(position_.samples, 1));
  ++position_.epoch;
  position_.step_in_epoch = position_.samples = 0;
  position_.loss_sum = 0;
  const std::int64_t trained_epochs = (is_qat() ? config_.train.epochs : 0) + position_.epoch;
  run_.append_metric({{"kind", "epoch"},
                      {"step", global_step()},
                      {"epoch", trained_epochs},
                      {"phase", phase_text()},
                      {"train_loss", train_loss},
                      {"test_loss", test.loss},
                      {"accuracy", test.accuracy_percent},
                      {"seconds", seconds},
                      {"step_ms", step_ms}});
  events_.scalar("train/epoch_loss", global_step(), train_loss);
  events_.scalar("test/loss", global_step(), test.loss);
  events_.scalar("test/accuracy", global_step(), test.accuracy_percent);
  if (is_qat())
    for (const auto& layer : built_.prepared->layers())
      events_.histogram("codes/" + layer->path(), global_step(), layer->config().weight.weight_qmin(),
                        code_counts(*layer));
  events_.flush();
  save("last");
  progress_.finish_epoch({.epoch = static_cast<int>(position_.epoch),
                          .epochs = static_cast<int>(phase.epochs),
                          .phase = phase_text(),
                          .step = steps_per_epoch(),
                          .steps = steps_per_epoch(),
                          .samples_per_step = config_.data.batch_size,
                          .loss = train_loss,
                          .accuracy_percent = accuracy_percent_,
                          .step_ms = step_ms});
}

void Trainer::start_qat() {
  measure_ptq();
  position_ = {.phase = "qat"};
  const torch::Tensor example = torch::zeros({1, 1, data_.train.height(), data_.train.width()});
  built_.prepared = prepare(*built_.model, config_.qat.qconfig, example, config_.qat.observe_steps);
  optimizer_ = make_optimizer(config_.qat.optimizer, *built_.model);
  save("last");
}

/// The float model, quantized after training only: what the QAT epochs are compared with. A copy is used.
void Trainer::measure_ptq() {
  const torch::NoGradGuard no_grad;
  PreparedModel copy = build_model(config_, data_.train, /*is_qat=*/true);
  const auto from = built_.model->named_parameters();
  for (auto& parameter : copy.model->named_parameters()) parameter.value().copy_(from[parameter.key()]);
  std::vector<torch::Tensor> batches;
  const torch::Tensor order = epoch_order(data_.train.size(), config_.seed, /*epoch=*/0);
  for (std::int64_t i = 0; i < std::min(config_.qat.calibration_batches, steps_per_epoch()); ++i) {
    const std::int64_t begin = i * config_.data.batch_size;
    batches.push_back(
        data_.train
            .batch(order.narrow(0, begin, std::min(config_.data.batch_size, data_.train.size() - begin)))
            .images);
  }
  calibrate(*copy.model, *copy.prepared, batches);
  const Evaluation test = evaluate(*copy.model, data_.test, config_.data.batch_size);
  run_.append_metric({{"kind", "ptq"},
                      {"step", global_step()},
                      {"accuracy", test.accuracy_percent},
                      {"test_loss", test.loss}});
}

void Trainer::save(const std::string& name) {
  for (const auto& parameter : built_.model->named_parameters())
    if (!torch::isfinite(parameter.value()).all().item<bool>())
      fail("expected finite numbers, got NaN or infinity in " + parameter.key() +
           "; lower the learning rate");
  save_checkpoint(run_.checkpoint(name), *built_.model, *optimizer_, position_);
}

void Trainer::show(const PhasePlan& phase, double loss) {
  progress_.update({.epoch = static_cast<int>(position_.epoch + 1),
                    .epochs = static_cast<int>(phase.epochs),
                    .phase = phase_text(),
                    .step = position_.step_in_epoch,
                    .steps = steps_per_epoch(),
                    .samples_per_step = config_.data.batch_size,
                    .loss = loss,
                    .accuracy_percent = accuracy_percent_,
                    .step_ms = times_->median_ms()});
}

}  // namespace samebits::training
