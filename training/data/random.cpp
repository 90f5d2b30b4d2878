#include "training/data/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

namespace samebits::training {

at::Generator generator_at(const StepPlace& place, DrawPurpose purpose) {
  std::uint64_t mixed = place.seed;
  for (const std::uint64_t part :
       {static_cast<std::uint64_t>(purpose), static_cast<std::uint64_t>(place.epoch),
        static_cast<std::uint64_t>(place.step)}) {
    mixed += part + 0x9E3779B97F4A7C15u;  // SplitMix64 (Steele, Lea, Flood 2014)
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    mixed ^= mixed >> 31;
  }
  return at::detail::createCPUGenerator(mixed);
}

torch::Tensor epoch_order(std::int64_t n, std::uint64_t seed, std::int64_t epoch) {
  return torch::randperm(n, generator_at({seed, epoch, 0}, DrawPurpose::kOrder), torch::kLong);
}

}  // namespace samebits::training
