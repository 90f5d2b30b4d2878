#include "tests/cuda_card/card.h"

#include <algorithm>
#include <cstdlib>

namespace samebits::cuda_emulator {

constexpr std::size_t kGuardBytes = 256;
constexpr int kPoison = 0xFF;

MemoryMode memory_mode() {
  const char* const name = std::getenv("SAMEBITS_CARD_MEMORY");
  const std::string_view text = name == nullptr ? "guarded" : name;
  if (text == "guarded") return MemoryMode::kGuarded;
  if (text == "exact") return MemoryMode::kExact;
  if (text == "raw") return MemoryMode::kRaw;
  throw Error("[cuda_card] SAMEBITS_CARD_MEMORY: expected guarded, exact or raw, got \"" + std::string(text) +
              "\"");
}

CardMemory::CardMemory(std::string name, std::size_t begin, std::size_t end, bool is_initialised)
    : name_(std::move(name)), begin_(begin), end_(end) {
  const MemoryMode mode = memory_mode();
  bytes_ = std::max<std::size_t>(end + (mode == MemoryMode::kGuarded ? kGuardBytes : 0), 1);
  void* memory = nullptr;
  check("cudaMalloc", cudaMalloc(&memory, bytes_));
  data_ = static_cast<std::byte*>(memory);
  if (mode != MemoryMode::kRaw || is_initialised) check("cudaMemset", cudaMemset(data_, kPoison, bytes_));
}

CardMemory::~CardMemory() {
  if (memory_mode() == MemoryMode::kGuarded) expect_guards();
  cudaFree(data_);
}

void CardMemory::write(const void* values) const {
  if (end_ > begin_)
    check("cudaMemcpy", cudaMemcpy(data_ + begin_, values, end_ - begin_, cudaMemcpyHostToDevice));
}

void CardMemory::read(void* values) const {
  check("cudaDeviceSynchronize", cudaDeviceSynchronize());
  if (end_ > begin_)
    check("cudaMemcpy", cudaMemcpy(values, data_ + begin_, end_ - begin_, cudaMemcpyDeviceToHost));
}

void CardMemory::expect_guards() const {
  std::vector<unsigned char> all(bytes_);
  if (cudaMemcpy(all.data(), data_, bytes_, cudaMemcpyDeviceToHost) != cudaSuccess)
    return;  // reported before
  for (std::size_t i = 0; i < bytes_; ++i) {
    if ((begin_ <= i && i < end_) || all[i] == kPoison) continue;
    ADD_FAILURE() << "[cuda_card] " << name_ << ": expected no write outside, got one at byte "
                  << static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(begin_) << " of "
                  << end_ - begin_;
    return;
  }
}

}  // namespace samebits::cuda_emulator
