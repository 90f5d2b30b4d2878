#include "training/loop/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "torch_ext/ptq/bits.h"
#include "torch_ext/reestimate_batch_norms.h"
#include "training/library_errors.h"
#include "training/loop/initial_weights.h"
#include "training/loop/interrupt.h"
#include "training/loop/non_finite.h"
#include "training/loop/optimizer.h"

namespace samebits::training {
namespace {

/// Parameters and buffers of one model into another of the same configuration.
void copy_tensors(const torch::nn::Module& from, torch::nn::Module& to) {
  const auto parameters = from.named_parameters(), buffers = from.named_buffers();
  for (auto& each : to.named_parameters()) each.value().copy_(parameters[each.key()]);
  for (auto& each : to.named_buffers()) each.value().copy_(buffers[each.key()]);
}

}  // namespace

/// One phase as numbers.
struct Trainer::Phase {
  const OptimizerConfig& optimizer;
  const ScheduleConfig& schedule;
  std::int64_t epochs;
  std::int64_t steps;         // of all epochs
  std::int64_t freeze_at;     // qat: the step from which activation scales stay
  std::int64_t freeze_bn_at;  // qat: the step from which batch norms keep their statistics
};

Trainer::Trainer(const Config& config, RunDirectory& run, const Task& task, bool resume)
    : config_(config),
      run_(run),
      task_(task),
      steps_per_epoch_(steps_per_epoch(task, config.data.batch_size)) {
  const std::filesystem::path last = run.checkpoint("last");
  if (resume && std::filesystem::exists(last)) {
    resume_from(Checkpoint::read(last));
  } else {
    built_ = build_model(config, task, /*is_qat=*/false);
    if (!config.init.empty()) load_initial_weights(*built_.model.module, config.init);
    optimizer_ = make_optimizer(config.train.optimizer, *built_.model.module);
  }
  if (resume) run_.keep_metrics_until(global_step(), /*with_ptq=*/is_qat());
  log_.emplace(run, task.metric());
}

void Trainer::resume_from(const Checkpoint& checkpoint) {
  position_ = checkpoint.position();
  checkpoint.check_position(phase().epochs, steps_per_epoch_);
  built_ = build_model(config_, task_, is_qat());
  optimizer_ = make_optimizer(phase().optimizer, *built_.model.module);
  checkpoint.load_model(*built_.model.module);
  checkpoint.load_optimizer(*built_.model.module, *optimizer_);
}

std::int64_t Trainer::global_step() const {
  return (earlier_epochs() + position_.epoch) * steps_per_epoch_ + position_.step_in_epoch;
}

std::string Trainer::phase_text() const {
  return is_qat() && built_.qat.has_value() ? state_name(built_.qat->state()) : "fp32";
}

Trainer::Phase Trainer::phase() const {
  const std::int64_t epochs = is_qat() ? config_.qat.epochs : config_.train.epochs;
  const std::int64_t steps = epochs * steps_per_epoch_;
  const auto step_at = [&](double fraction) {
    return std::max(static_cast<std::int64_t>(fraction * static_cast<double>(steps)),
                    config_.qat.observe_steps);
  };
  return {is_qat() ? config_.qat.optimizer : config_.train.optimizer,
          is_qat() ? config_.qat.schedule : config_.train.schedule,
          epochs,
          steps,
          step_at(config_.qat.freeze_at),
          step_at(config_.qat.freeze_bn_at)};
}

bool Trainer::run() {
  try {
    const bool is_done = run_phases();
    progress_.clear();
    return is_done;
  } catch (const c10::Error& error) {  // the configuration was checked before: numbers went wrong
    if (is_out_of_memory(error)) throw;
    fail(text_of(error));
  } catch (const UsageError& error) {
    fail(error.what());
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
    if (config_.train.epochs == 0) measure_untrained();
    save("fp32");
    if (config_.qat.epochs == 0) {
      save("final");
      return true;
    }
    switch_to_qat();
  }
  if (!run_phase()) return false;
  if (built_.qat->state() != QuantizerState::kFrozen) built_.qat->freeze();
  built_.qat->freeze_bn();
  save("final");
  return true;
}

bool Trainer::run_phase() {
  const Phase now = phase();
  while (position_.epoch < now.epochs)
    if (!run_epoch(now)) return false;
  return true;
}

bool Trainer::run_epoch(const Phase& phase) {
  const torch::Tensor order =
      epoch_order(task_.train().size(), config_.seed, earlier_epochs() + position_.epoch);
  times_.start_epoch();
  built_.model.module->train();
  while (position_.step_in_epoch < steps_per_epoch_) {
    train_step(phase, order);
    if (position_.step_in_epoch == steps_per_epoch_) break;
    const bool is_due =
        config_.checkpoint_every > 0 && position_.step_in_epoch % config_.checkpoint_every == 0;
    const bool ends = interrupted();
    if (is_due || ends) save("last");
    if (ends) return false;
  }
  finish_epoch(phase);
  return !interrupted();
}

Batch Trainer::training_batch(const torch::Tensor& order) const {
  const std::int64_t begin = position_.step_in_epoch * config_.data.batch_size;
  const std::int64_t count = std::min(config_.data.batch_size, task_.train().size() - begin);
  Batch batch = task_.train().batch(order.narrow(0, begin, count));
  task_.augment(batch, {config_.seed, position_.epoch, global_step()});
  return batch;
}

void Trainer::train_step(const Phase& phase, const torch::Tensor& order) {
  const Batch batch = training_batch(order);
  const std::int64_t phase_step = position_.epoch * steps_per_epoch_ + position_.step_in_epoch;
  ++position_.step_in_epoch;  // from here on global_step() is this step's number, which messages name
  if (is_qat()) freeze_what_is_due(phase, phase_step);

  const auto start = StepTimes::Clock::now();
  const double lr = learning_rate(phase.optimizer, phase.schedule, phase_step, phase.steps);
  set_learning_rate(*optimizer_, lr, config_.qat.scale_lr);
  optimizer_->zero_grad();
  const torch::Tensor loss = forward_loss(batch);
  loss.backward();
  optimizer_->step();
  times_.add(start, phase_text());

  const double loss_value = loss.item<double>();
  position_.loss_sum += loss_value * static_cast<double>(batch.target.size(0));
  position_.samples += batch.target.size(0);
  if (global_step() % kMetricEvery == 0) log_->step(global_step(), phase_text(), loss_value, lr);
  progress_.update(progress_state(phase, loss_value));
}

void Trainer::freeze_what_is_due(const Phase& phase, std::int64_t phase_step) {
  if (phase_step >= phase.freeze_at && built_.qat->state() == QuantizerState::kQuantizing)
    built_.qat->freeze();
  if (batch_norms_frozen_ || phase_step < phase.freeze_bn_at) return;
  // A run that is resumed behind this step has the statistics.
  if (phase_step == phase.freeze_bn_at) reestimate_batch_norms();
  built_.qat->freeze_bn();
  batch_norms_frozen_ = true;
}

void Trainer::reestimate_batch_norms() {
  samebits::reestimate_batch_norms(ref_of(built_.model), first_batches(config_.qat.bn_reestimate_batches));
}

/// As many of an epoch's first batches, not augmented.
std::vector<torch::Tensor> Trainer::first_batches(std::int64_t most) const {
  std::vector<torch::Tensor> batches;
  const std::int64_t size = config_.data.batch_size, count = task_.train().size();
  const torch::Tensor order = epoch_order(count, config_.seed, /*epoch=*/0);
  for (std::int64_t i = 0; i < std::min(most, steps_per_epoch_); ++i)
    batches.push_back(task_.train().batch(order.narrow(0, i * size, std::min(size, count - i * size))).x);
  return batches;
}

torch::Tensor Trainer::forward_loss(const Batch& batch) {
  const torch::Tensor loss = task_.loss(built_.model.forward(batch.x), batch.target);
  if (!std::isfinite(loss.item<double>()))
    fail("expected finite numbers, got NaN or infinity first in " + first_non_finite(built_.model, batch) +
         "; lower the learning rate or look at the data");
  return loss;
}

void Trainer::finish_epoch(const Phase& phase) {
  EpochRecord record{.seconds = times_.epoch_seconds(), .step_ms = times_.median_ms()};
  if (is_qat() && !batch_norms_frozen_) reestimate_batch_norms();
  record.test = evaluate(built_.model, task_, config_.data.batch_size);
  if (task_.validation() != nullptr)
    record.validation = evaluate_on(*task_.validation(), built_.model, task_, config_.data.batch_size);
  score_ = record.validation.value_or(record.test).score;
  record.train_loss = position_.loss_sum / static_cast<double>(std::max<std::int64_t>(position_.samples, 1));
  ++position_.epoch;
  position_.step_in_epoch = position_.samples = 0;
  position_.loss_sum = 0;
  record.step = global_step();
  record.epoch = earlier_epochs() + position_.epoch;
  record.phase = phase_text();
  log_->epoch(record, is_qat() ? built_.qat->layers() : std::vector<std::shared_ptr<QATLayer>>());
  save("last");
  ProgressState state = progress_state(phase, record.train_loss);
  state.epoch = static_cast<int>(position_.epoch);
  state.step = steps_per_epoch_;
  state.step_ms = record.step_ms;
  progress_.finish_epoch(state);
}

/// Weights that came trained, as they are: what the float epochs would have said.
void Trainer::measure_untrained() {
  if (!run_.metrics().empty()) return;  // a run that was resumed here has
  const Evaluation test = evaluate(built_.model, task_, config_.data.batch_size);
  score_ = test.score;
  log_->epoch({.phase = phase_text(), .train_loss = std::nan(""), .test = test, .step_ms = std::nan("")}, {});
}

void Trainer::switch_to_qat() {
  measure_ptq();
  position_ = {.phase = "qat"};
  start_qat(built_, config_, task_);
  optimizer_ = make_optimizer(config_.qat.optimizer, *built_.model.module);
  save("last");
}

/// The float model, quantized after training only: what the QAT epochs are compared with. A copy is used.
void Trainer::measure_ptq() {
  const torch::NoGradGuard no_grad;
  BuiltModel copy = build_model(config_, task_, /*is_qat=*/false);
  copy_tensors(*built_.model.module, *copy.model.module);
  Config untrained = config_;
  untrained.qat.qconfig = straight_through(config_.qat.qconfig);
  start_qat(copy, untrained, task_);
  calibrate(ref_of(copy.model), *copy.qat, first_batches(config_.qat.calibration_batches));
  log_->ptq(global_step(), evaluate(copy.model, task_, config_.data.batch_size));
}

void Trainer::save(const std::string& name) {
  const std::string parameter = first_non_finite_parameter(*built_.model.module);
  if (!parameter.empty())
    fail("expected finite numbers, got NaN or infinity in " + parameter + "; lower the learning rate");
  save_checkpoint(run_.checkpoint(name), *built_.model.module, *optimizer_, position_);
}

ProgressState Trainer::progress_state(const Phase& phase, double loss) const {
  const Metric metric = task_.metric();
  return {.epoch = static_cast<int>(position_.epoch + 1),
          .epochs = static_cast<int>(phase.epochs),
          .phase = phase_text(),
          .step = position_.step_in_epoch,
          .steps = steps_per_epoch_,
          .samples_per_step = config_.data.batch_size,
          .loss = loss,
          .score = score_.has_value() ? std::string(metric.name) + " " + metric.text(*score_) : "",
          .step_ms = times_.median_ms()};
}

}  // namespace samebits::training
