#include "torch_ext/quantizer/step_flags.h"

#include <utility>

#include "csrc/common/capture.h"

namespace samebits {
namespace {

/// Of the CPU, without item(): a trace would record that.
bool is_raised(const StepFlag& flag) {
  const torch::Tensor& value = flag.value;
  if (value.scalar_type() == torch::kBool) return *value.const_data_ptr<bool>();
  return (*value.const_data_ptr<std::int32_t>() & flag.bits) != 0;
}

/// One copy to the host. Throws at the first that was raised.
void read(const std::vector<StepFlag>& flags) {
  if (flags.empty()) return;
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> values;
  for (const StepFlag& flag : flags) values.push_back(flag.value.to(torch::kInt));
  const torch::Tensor all = torch::stack(values).cpu();
  for (std::size_t i = 0; i < flags.size(); ++i)
    TORCH_CHECK((all.const_data_ptr<std::int32_t>()[i] & flags[i].bits) == 0, flags[i].message);
}

}  // namespace

void StepFlags::add(StepFlag flag) {
  if (flag.value.is_cpu() && !keeps_all_) {
    TORCH_CHECK(!is_raised(flag), flag.message);
    return;
  }
  const std::lock_guard lock(mutex_);
  pending_.push_back(std::move(flag));
}

void StepFlags::check() {
  std::vector<StepFlag> flags;
  {
    const std::lock_guard lock(mutex_);
    flags = std::exchange(pending_, {});
    flags.insert(flags.end(), captured_.begin(), captured_.end());
  }
  read(flags);
}

void StepFlags::end_step() {
  std::vector<StepFlag> flags;
  {
    const std::lock_guard lock(mutex_);
    flags = std::exchange(pending_, {});
    if (!flags.empty() && ops::is_capturing(flags.front().value)) {
      captured_.insert(captured_.end(), flags.begin(), flags.end());
      return;
    }
  }
  read(flags);
}

std::size_t StepFlags::pending() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

}  // namespace samebits
