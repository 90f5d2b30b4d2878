#include "training/tasks/task.h"

#include <torch/torch.h>

#include "training/tasks/data_task.h"

namespace samebits::training {

torch::Tensor Task::example() const {
  return torch::zeros_like(train().range(0, 1).x);
}

std::unique_ptr<Task> make_task(const Config& config) {
  return make_data_task(config);
}

std::int64_t steps_per_epoch(const Task& task, std::int64_t batch_size) {
  return (task.train().size() + batch_size - 1) / batch_size;
}

std::vector<torch::Tensor> test_inputs(const Task& task, std::int64_t batch_size) {
  std::vector<torch::Tensor> batches;
  for (std::int64_t begin = 0; begin < task.test().size(); begin += batch_size)
    batches.push_back(task.test().range(begin, begin + batch_size).x);
  return batches;
}

}  // namespace samebits::training
