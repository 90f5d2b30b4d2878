// CUDA C++ for g++: what a .cuh or .cu file sees in place of cuda_runtime.h, force-included as nvcc does with
// its own header. Compile with -fsanitize=thread,bounds,alignment,object-size and link without: the compiler
// then calls a function before every load and store, and sanitizer_calls.cpp is what it calls.
#pragma once

#ifndef __SANITIZE_THREAD__
#error "cuda_language.h: expected -fsanitize=thread; without it no access of a kernel would be checked"
#endif

#include <math.h>

#include <bit>
#include <concepts>
#include <cstring>

#include "tests/cuda_emulator/emulator.h"

namespace samebits::cuda_emulator {

/// threadIdx and its like: what `read` returns at the moment of the look.
template <auto read>
struct BuiltIn {
  struct X {
    operator unsigned() const { return read().x; }
  } x{};
  struct Y {
    operator unsigned() const { return read().y; }
  } y{};
  struct Z {
    operator unsigned() const { return read().z; }
  } z{};
};

template <class T, class Update>
__attribute__((always_inline)) inline T atomic(T* address, Update update) {
  const AtomicAccess access(address, sizeof(T));
  const T old = *address;
  *address = static_cast<T>(update(old));
  return old;
}

/// The value of lane `source`, or the lane's own where the guide says that the source is outside its segment.
template <class T>
T shuffle(const char* name, unsigned mask, T value, unsigned source, bool is_in_segment, Where where) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = sync_warp(name, mask, Exchange::kShuffle, bits, is_in_segment ? source : lane_index(), where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

inline unsigned vote(const char* name, unsigned mask, int predicate, Where where) {
  return static_cast<unsigned>(sync_warp(name, mask, Exchange::kVote, predicate != 0, 0, where));
}

}  // namespace samebits::cuda_emulator

// ---- qualifiers and built-in variables ----
// A shared array lives as long as its block. All threads of a block are fibers of one thread, so thread_local
// arrays are shared by them; unlike static ones they have a place of their own, where accesses are checked.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ thread_local
#define __launch_bounds__(...)
#define __grid_constant__
inline constexpr samebits::cuda_emulator::BuiltIn<samebits::cuda_emulator::thread_index> threadIdx;
inline constexpr samebits::cuda_emulator::BuiltIn<samebits::cuda_emulator::block_index> blockIdx;
inline constexpr samebits::cuda_emulator::BuiltIn<samebits::cuda_emulator::block_size> blockDim;
inline constexpr samebits::cuda_emulator::BuiltIn<samebits::cuda_emulator::grid_size> gridDim;
inline constexpr int warpSize = 32;

// ---- collectives ----
#define SAMEBITS_WHERE ::samebits::cuda_emulator::Where where = ::samebits::cuda_emulator::Where::current()
inline void __syncthreads(SAMEBITS_WHERE) {
  samebits::cuda_emulator::sync_block(where);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, SAMEBITS_WHERE) {
  samebits::cuda_emulator::sync_warp("__syncwarp", mask, samebits::cuda_emulator::Exchange::kMemory, 0, 0,
                                     where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, SAMEBITS_WHERE) {
  return samebits::cuda_emulator::vote("__ballot_sync", mask, predicate, where);
}
inline int __any_sync(unsigned mask, int predicate, SAMEBITS_WHERE) {
  return samebits::cuda_emulator::vote("__any_sync", mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, SAMEBITS_WHERE) {
  return samebits::cuda_emulator::vote("__all_sync", mask, predicate, where) == mask;
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, SAMEBITS_WHERE) {
  const unsigned segment = static_cast<unsigned>(width), lane = samebits::cuda_emulator::lane_index();
  const unsigned from = lane / segment * segment + static_cast<unsigned>(source) % segment;
  return samebits::cuda_emulator::shuffle("__shfl_sync", mask, value, from, true, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, SAMEBITS_WHERE) {
  const unsigned segment = static_cast<unsigned>(width), lane = samebits::cuda_emulator::lane_index();
  const bool inside = lane % segment >= delta;
  return samebits::cuda_emulator::shuffle("__shfl_up_sync", mask, value, lane - delta, inside, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, SAMEBITS_WHERE) {
  const unsigned segment = static_cast<unsigned>(width), lane = samebits::cuda_emulator::lane_index();
  const bool inside = lane % segment + delta < segment;
  return samebits::cuda_emulator::shuffle("__shfl_down_sync", mask, value, lane + delta, inside, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize, SAMEBITS_WHERE) {
  const unsigned segment = static_cast<unsigned>(width), lane = samebits::cuda_emulator::lane_index();
  const unsigned from = lane ^ static_cast<unsigned>(lane_mask);
  const bool inside = from < (lane / segment + 1) * segment;
  return samebits::cuda_emulator::shuffle("__shfl_xor_sync", mask, value, from, inside, where);
}
#undef SAMEBITS_WHERE

// ---- atomics: of integers only, because the order of atomics is not fixed and a float sum would depend on
// it ----
template <class T>
concept SamebitsAtomicInteger = std::integral<T> &&(sizeof(T) == 4 || sizeof(T) == 8);
#define SAMEBITS_ATOMIC(name, updated)                                                     \
  template <SamebitsAtomicInteger T>                                                       \
  T name(T* address, std::type_identity_t<T> value) {                                      \
    return samebits::cuda_emulator::atomic(address, [value](T old) { return (updated); }); \
  }
SAMEBITS_ATOMIC(atomicAdd,
                static_cast<std::make_unsigned_t<T>>(old) + static_cast<std::make_unsigned_t<T>>(value))
SAMEBITS_ATOMIC(atomicMax, std::max(old, value))
SAMEBITS_ATOMIC(atomicMin, std::min(old, value))
SAMEBITS_ATOMIC(atomicOr, old | value)
#undef SAMEBITS_ATOMIC

// ---- intrinsics ----
template <class T>
T __ldg(const T* address) {
  return *address;
}
inline float __fmaf_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __int_as_float(int bits) {
  return std::bit_cast<float>(bits);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}

// ---- the runtime's launch ----
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  if (!samebits::cuda_emulator::admit_launch()) return cudaErrorInvalidConfiguration;
  samebits::cuda_emulator::emulate(config->gridDim, config->blockDim, kernel, arguments...);
  return cudaSuccess;
}
inline cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "invalid configuration argument";
}
