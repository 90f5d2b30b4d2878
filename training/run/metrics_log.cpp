#include "training/run/metrics_log.h"

#include "training/report/layer_report.h"

namespace samebits::training {

void MetricsLog::step(std::int64_t step, const std::string& phase, double loss, double lr) {
  run_.append_metric({{"kind", "step"}, {"step", step}, {"phase", phase}, {"loss", loss}, {"lr", lr}});
  events_.scalar("train/loss", step, loss);
  events_.scalar("train/lr", step, lr);
}

void MetricsLog::epoch(const EpochRecord& record, const std::vector<std::shared_ptr<QATLayer>>& layers) {
  nlohmann::ordered_json line = {{"kind", "epoch"},
                                 {"step", record.step},
                                 {"epoch", record.epoch},
                                 {"phase", record.phase},
                                 {"train_loss", record.train_loss},
                                 {"test_loss", record.test.loss},
                                 {metric_.name, record.test.score},
                                 {"seconds", record.seconds},
                                 {"step_ms", record.step_ms}};
  if (record.validation) {
    line["validation_loss"] = record.validation->loss;
    line[std::string("validation_") + metric_.name] = record.validation->score;
    events_.scalar("validation/loss", record.step, record.validation->loss);
    events_.scalar(std::string("validation/") + metric_.name, record.step, record.validation->score);
  }
  run_.append_metric(line);
  events_.scalar("train/epoch_loss", record.step, record.train_loss);
  events_.scalar("test/loss", record.step, record.test.loss);
  events_.scalar(std::string("test/") + metric_.name, record.step, record.test.score);
  for (const auto& layer : layers)
    events_.histogram("codes/" + layer->path(), record.step, layer->config().weight.weight_qmin(),
                      code_counts(*layer));
  events_.flush();
}

void MetricsLog::ptq(std::int64_t step, const Evaluation& test) {
  run_.append_metric({{"kind", "ptq"}, {"step", step}, {metric_.name, test.score}, {"test_loss", test.loss}});
}

}  // namespace samebits::training
