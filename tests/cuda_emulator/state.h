// What scheduler.cpp (who runs) and memory.cpp (who may touch what) share: the one emulated device.
#pragma once

#include <setjmp.h>

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cuda_emulator/emulator.h"

namespace samebits::cuda_emulator {

inline constexpr unsigned kLanes = 32;
inline constexpr unsigned kMaxThreads = 1024;  // of a block
inline constexpr std::size_t kStackBytes = 64 * 1024;

enum class Status { kReady, kAtBarrier, kInWarpCall, kExited };

/// A __syncwarp, shuffle or vote that a thread waits in.
struct WarpCall {
  const char* name = "";
  unsigned mask = 0, source = 0;
  std::uint64_t value = 0, result = 0;
};

/// One thread of the block that runs now.
struct Fiber {
  using Stack = std::unique_ptr<char, void (*)(char*)>;
  sigjmp_buf registers;
  Stack stack{nullptr, nullptr};
  unsigned warp = 0, lane = 0;
  uint3 index{};
  Status status = Status::kExited;
  Where where;  // of the barrier or warp call that it waits in
  WarpCall call;
  // Time within a phase counts a warp's __syncwarps: what lane l did up to known[l] comes before whatever
  // this thread does next.
  std::uint16_t clock = 1;
  std::array<std::uint16_t, kLanes> known{};
};

struct Device {
  const Launch* launch = nullptr;
  std::uint64_t seed = 1;
  uint3 block{};
  unsigned threads = 0, at_barrier = 0, exited = 0;
  // A phase ends at each barrier and each block; they are numbered over all launches.
  std::uint32_t launch_phase = 1, block_phase = 1, phase = 1;

  sigjmp_buf scheduler;
  std::vector<std::unique_ptr<Fiber>> fibers;  // by thread; kept from launch to launch
  std::vector<Fiber*> ready;
  Fiber* running = nullptr;   // null outside a kernel
  Fiber* observed = nullptr;  // `running`, while it executes the kernel's own code
  std::mt19937 random;
  std::optional<std::string> failure;
};
extern Device device;

/// While one lives, loads and stores are the emulator's own and not checked: the linker may have picked an
/// instrumented copy of an inline function for the emulator too.
class Unobserved {
 public:
  Unobserved() { device.observed = nullptr; }
  ~Unobserved() { device.observed = device.running; }
};

/// Ends the launch with an Error. `at`: a source line, or empty.
[[noreturn]] void fail(const std::string& at, const std::string& what);

/// "file.cuh:12": the file without its folders.
std::string place(std::string_view file, std::uint32_t line);

/// Lets kernels read their parameters and constants and use shared memory, for one launch.
class LaunchMemory {
 public:
  explicit LaunchMemory(const Launch& launch);
  ~LaunchMemory();
};

enum class AccessKind { kRead, kWrite, kAtomic };

/// Checks one access of the running thread before it happens, and remembers it. `code`: the instruction after
/// it.
void check_access(const volatile void* address, std::size_t bytes, AccessKind kind, const void* code);

}  // namespace samebits::cuda_emulator
