// One buffer a thread for what gemm_int8 makes of a's rows. It grows to the largest call's need, which the
// implementations bound by the size of their row blocks, and stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace samebits::kernels {

/// `bytes` bytes aligned to 64, of unknown content, until the thread's next call. May throw std::bad_alloc.
inline void* thread_scratch(std::int64_t bytes) {
  struct Free {
    void operator()(void* data) const { ::operator delete (data, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<void, Free> buffer;
  thread_local std::int64_t size = 0;
  if (size < bytes) {
    size = 0;
    buffer.reset();
    buffer.reset(::operator new (static_cast<std::size_t>(bytes), std::align_val_t{64}));
    size = bytes;
  }
  return buffer.get();
}

}  // namespace samebits::kernels
