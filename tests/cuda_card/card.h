// The emulator's interface (tests/cuda_emulator/emulator.h) over a real card: arrays and launches under the
// names that the tests of kernels use, so that the same sources compile with nvcc. Force-included before
// kernels/common/cuda/launch.h, whose launches it counts and refuses. A seed changes nothing here: a body
// that runs under several runs several times.
#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace samebits::cuda_emulator {

/// A call of the runtime that failed. Most such errors stay for the rest of the process.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void check(const char* call, cudaError_t error) {
  if (error != cudaSuccess)
    throw Error(std::string("[cuda_card] ") + call + ": expected success, got " + cudaGetErrorName(error) +
                ": " + cudaGetErrorString(error));
}

inline void set_seed(std::uint64_t /*seed*/) {}

inline std::uint64_t launches = 0;
inline bool refuses_next = false;
inline void refuse_next_launch() {
  refuses_next = true;
}
inline std::uint64_t launch_count() {
  return launches;
}

/// cudaLaunchKernelEx, counted, or refused as a device without resources refuses.
template <class... Parameters, class... Arguments>
cudaError_t launch_on_card(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                           Arguments&&... arguments) {
  ++launches;
  if (std::exchange(refuses_next, false)) return cudaErrorInvalidConfiguration;
  return cudaLaunchKernelEx(config, kernel, std::forward<Arguments>(arguments)...);
}

/// Runs `kernel` and waits. Throws Error.
template <class... Parameters, class... Arguments>
void emulate(dim3 grid, dim3 block, void (*kernel)(Parameters...), const Arguments&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  check("launch", cudaLaunchKernelEx(&config, kernel, arguments...));
  check("cudaDeviceSynchronize", cudaDeviceSynchronize());
}

/// What lies around and in an array before a kernel writes, by $SAMEBITS_CARD_MEMORY.
enum class MemoryMode {
  kGuarded,  // "guarded", or unset: 0xFF bytes, and more of them behind the array, looked at when it dies
  kExact,    // "exact": 0xFF bytes and none behind, for memcheck, which knows where an allocation ends
  kRaw,      // "raw": as exact, but what is not initialised is not written at all, for initcheck
};
MemoryMode memory_mode();

/// `bytes` of the device's memory at an address that cudaMalloc aligns.
class CardMemory {
 public:
  /// Bytes [begin, end) are the array's; a change of the others is a failure of the test. Throws Error.
  CardMemory(std::string name, std::size_t begin, std::size_t end, bool is_initialised);
  ~CardMemory();
  CardMemory(const CardMemory&) = delete;
  CardMemory& operator=(const CardMemory&) = delete;

  std::byte* data() const { return data_; }
  /// To and from the array's bytes; both wait for the device.
  void write(const void* values) const;
  void read(void* values) const;

 private:
  void expect_guards() const;

  std::string name_;
  std::size_t begin_, end_, bytes_;
  std::byte* data_ = nullptr;
};

/// An array of device memory, `offset` elements away from an address that is aligned as cudaMalloc aligns.
template <class T>
class DeviceArray {
 public:
  DeviceArray(std::string name, const std::vector<T>& values, std::size_t offset = 0)
      : DeviceArray(std::move(name), values.size(), offset, true) {
    memory_.write(values.data());
  }

  /// Not initialised: `count` elements of 0xFF bytes.
  static DeviceArray uninitialised(std::string name, std::size_t count, std::size_t offset = 0) {
    return DeviceArray(std::move(name), count, offset, false);
  }

  T* data() { return reinterpret_cast<T*>(memory_.data()) + offset_; }
  std::vector<T> values() const {
    std::vector<T> all(count_);
    memory_.read(all.data());
    return all;
  }

 private:
  DeviceArray(std::string name, std::size_t count, std::size_t offset, bool is_initialised)
      : count_(count),
        offset_(offset),
        memory_(std::move(name), offset * sizeof(T), (offset + count) * sizeof(T), is_initialised) {}

  std::size_t count_, offset_;
  CardMemory memory_;
};

}  // namespace samebits::cuda_emulator

// For kernels/common/cuda/launch.h, which is included after this.
#define cudaLaunchKernelEx ::samebits::cuda_emulator::launch_on_card
