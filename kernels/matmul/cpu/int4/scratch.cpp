#include "kernels/matmul/cpu/int4/scratch.h"

#include <memory>
#include <new>

namespace samebits::kernels {
namespace {

constexpr std::align_val_t kAlignment{64};

struct Free {
  void operator()(std::uint8_t* memory) const { ::operator delete(memory, kAlignment); }
};

}  // namespace

std::uint8_t* int4_scratch(std::int64_t bytes) {
  thread_local std::unique_ptr<std::uint8_t, Free> memory;
  thread_local std::int64_t size = 0;
  if (bytes > size) {
    memory.reset();
    size = 0;
    memory.reset(static_cast<std::uint8_t*>(::operator new(static_cast<std::size_t>(bytes), kAlignment)));
    size = bytes;
  }
  return memory.get();
}

}  // namespace samebits::kernels
