// The memory that the products of kernels/matmul/gemm_int4.h work in: one buffer a thread, kept for the next
// call, as fresh memory would cost more page faults than a small product takes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace samebits::kernels {

/// At least `bytes` bytes, aligned to 64, undefined. Valid until the thread's next call. Throws
/// std::bad_alloc.
std::uint8_t* int4_scratch(std::int64_t bytes);

/// Cuts scratch memory into arrays, each aligned to 64 bytes. The first pass (over nullptr) adds up the size.
class ScratchCutter {
 public:
  explicit ScratchCutter(std::uint8_t* memory) : memory_(memory) {}
  template <class T>
  T* take(std::int64_t n) {
    T* array = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += (n * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
    return array;
  }
  std::int64_t used() const { return used_; }

 private:
  std::uint8_t* memory_;
  std::int64_t used_ = 0;
};

/// `cut(cutter)` takes the arrays of one call; runs it twice, the second time over memory.
template <class Cut>
void cut_scratch(const Cut& cut) {
  ScratchCutter size(nullptr);
  cut(size);
  ScratchCutter cutter(int4_scratch(size.used()));
  cut(cutter);
}

}  // namespace samebits::kernels
