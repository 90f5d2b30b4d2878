// Runs CUDA kernels on the CPU, for tests: device arrays, launches, and the error of a launch that did wrong.
// What kernels and launchers see is cuda_language.h. One launch at a time, from one thread. docs/cuda.md says
// what is found and what is not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/cuda_emulator/vector_types.h"

namespace samebits::cuda_emulator {

/// What a launch did wrong; the text names kernel, block, thread, seed, source line and the way out.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The seed of the order in which later launches run blocks and threads. 1 at the start.
void set_seed(std::uint64_t seed);

/// Makes the next cudaLaunchKernelEx fail, as a device without resources does, and run nothing.
void refuse_next_launch();
/// How many launches there have been, refused ones too.
std::uint64_t launch_count();

/// Global memory that kernels may touch while this lives, and no byte beside it. Where `is_initialised` is
/// false, reading before writing is an error. Two threads race when they touch one granule, not only one
/// byte.
class GlobalMemory {
 public:
  GlobalMemory(const void* data, std::size_t bytes, std::size_t granule_bytes, bool is_initialised,
               std::string name);
  ~GlobalMemory();
  GlobalMemory(const GlobalMemory&) = delete;
  GlobalMemory& operator=(const GlobalMemory&) = delete;
};

/// An array of device memory, `offset` elements away from an address that is aligned as cudaMalloc aligns.
template <class T>
class DeviceArray {
 public:
  DeviceArray(std::string name, const std::vector<T>& values, std::size_t offset = 0)
      : DeviceArray(std::move(name), values, offset, true) {}

  /// Not initialised: `count` elements of 0xFF bytes.
  static DeviceArray uninitialised(std::string name, std::size_t count, std::size_t offset = 0) {
    return DeviceArray(std::move(name), std::vector<T>(count), offset, false);
  }

  T* data() { return data_; }
  std::vector<T> values() const { return {data_, data_ + count_}; }

 private:
  static constexpr std::size_t kAlignment = 256;

  DeviceArray(std::string name, const std::vector<T>& values, std::size_t offset, bool is_initialised)
      : count_(values.size()),
        storage_((count_ + offset) * sizeof(T) + kAlignment, std::byte{0xFF}),
        data_(reinterpret_cast<T*>(aligned(storage_.data())) + offset),
        memory_(data_, count_ * sizeof(T), std::min<std::size_t>(sizeof(T), 4), is_initialised,
                std::move(name)) {
    if (is_initialised) std::copy(values.begin(), values.end(), data_);
  }
  static std::byte* aligned(std::byte* p) {
    return p + (kAlignment - reinterpret_cast<std::uintptr_t>(p) % kAlignment) % kAlignment;
  }

  std::size_t count_;
  std::vector<std::byte> storage_;
  T* data_;
  GlobalMemory memory_;
};

/// One launch, its kernel's types taken away.
struct Launch {
  dim3 grid, block;
  const void* kernel;             // its address, for its name
  void (*thread)(const Launch&);  // runs one thread
  const void* arguments;          // a std::tuple of the kernel's parameters
  std::size_t argument_bytes;
};
void run(const Launch& launch);

/// Runs `kernel` over the whole grid. Throws Error at the first mistake; the launch then stops where it was.
template <class... Parameters, class... Arguments>
void emulate(dim3 grid, dim3 block, void (*kernel)(Parameters...), const Arguments&... arguments) {
  using Call = std::tuple<void (*)(Parameters...), std::decay_t<Parameters>...>;
  const Call call(kernel, arguments...);
  const auto thread = [](const Launch& launch) {
    std::apply([](auto* function, const auto&... values) { function(values...); },
               *static_cast<const Call*>(launch.arguments));
  };
  run({grid, block, reinterpret_cast<const void*>(kernel), thread, &call, sizeof(call)});
}

/// Counts a launch by cudaLaunchKernelEx; false when it is to be refused.
bool admit_launch();

// ---- what cuda_language.h calls from inside a kernel ----
using Where = std::source_location;  // as a default argument: a call stays one where the compiler copies it
uint3 thread_index();
uint3 block_index();
dim3 block_size();
dim3 grid_size();
unsigned lane_index();
void sync_block(Where where);
/// Only __syncwarp orders accesses to memory, says the guide; a shuffle or a vote does not.
enum class Exchange { kShuffle, kVote, kMemory };
std::uint64_t sync_warp(const char* name, unsigned mask, Exchange exchange, std::uint64_t value,
                        unsigned source, Where where);
/// The loads and stores of one atomic operation are those of this object's life. Other threads may run before
/// it.
class AtomicAccess {
 public:
  AtomicAccess(const volatile void* address, std::size_t bytes);
  ~AtomicAccess();
};

}  // namespace samebits::cuda_emulator
