#include "tests/benchmark/live_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>

namespace samebits::benchmark {
namespace {

std::atomic<std::int64_t> live = 0, peak = 0;

/// Forwards to the allocator that was there before. The size of a block is asked of malloc: LibTorch's CPU
/// allocator takes its memory from posix_memalign.
class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}

  c10::DataPtr allocate(std::size_t n) override {
    void* data = inner_->raw_allocate(n);
    if (data != nullptr) {
      live += static_cast<std::int64_t>(malloc_usable_size(data));
      peak = std::max(peak.load(), live.load());
    }
    return {data, data, &release, c10::DeviceType::CPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }

 private:
  static void release(void* data) {
    if (data == nullptr) return;
    live -= static_cast<std::int64_t>(malloc_usable_size(data));
    c10::GetDefaultCPUAllocator()->raw_deallocate(data);
  }

  c10::Allocator* inner_;
};

}  // namespace

void count_memory() {
  static CountingAllocator allocator(c10::GetDefaultCPUAllocator());
  c10::SetCPUAllocator(&allocator, /*priority=*/100);
}

std::int64_t live_bytes() {
  return live;
}
std::int64_t peak_bytes() {
  return peak;
}
void reset_peak() {
  peak = live.load();
}

}  // namespace samebits::benchmark
