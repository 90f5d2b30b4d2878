// Kernels with one planted mistake each, and the text that names it: on every seed, since a check that
// depends on luck is none. EmulatorLimits: the mistakes that go unnoticed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cuda_emulator/seeds.h"

namespace samebits::cuda_emulator {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr unsigned kAllLanes = 0xFFFFFFFFu;

/// The error of one launch, or "no error".
template <class... Parameters, class... Arguments>
std::string error_of(dim3 grid, dim3 block, void (*kernel)(Parameters...), const Arguments&... arguments) {
  try {
    emulate(grid, block, kernel, arguments...);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

template <class Kernel, class... Arguments>
void expect_error(const testing::Matcher<const std::string&>& matcher, dim3 grid, dim3 block, Kernel kernel,
                  const Arguments&... arguments) {
  for_each_seed([&] { ASSERT_THAT(error_of(grid, block, kernel, arguments...), matcher); });
}

template <class Kernel, class... Arguments>
void expect_no_error(dim3 grid, dim3 block, Kernel kernel, const Arguments&... arguments) {
  expect_error(testing::Eq("no error"), grid, block, kernel, arguments...);
}

// ---- order ----

template <bool has_barrier>
__global__ void reverse(float* x) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  if (has_barrier) __syncthreads();
  x[threadIdx.x] = tile[63 - threadIdx.x];
}
TEST(Emulator, FindsAMissingBarrier) {
  DeviceArray<float> x("x", std::vector<float>(64, 1.0f));
  expect_no_error(1, 64, reverse<true>, x.data());
  expect_error(
      AllOf(HasSubstr("[cuda_emulator] reverse<false>, block (0,0,0), thread ("),
            HasSubstr("emulator_test.cpp:"), HasSubstr("expected a read of initialised memory"),
            HasSubstr("of shared memory, which nothing has written; write it before, and mind the barrier")),
      1, 64, reverse<false>, x.data());
}

template <bool has_barrier>
__global__ void rotate_twice(int* x) {
  __shared__ int tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  for (int i = 0; i < 2; ++i) {
    __syncthreads();
    const int next = tile[(threadIdx.x + 1) % 64];
    if (has_barrier) __syncthreads();
    tile[threadIdx.x] = next;
  }
  x[threadIdx.x] = tile[threadIdx.x];
}
TEST(Emulator, FindsABarrierMissingBetweenAReadAndTheNextWrite) {
  DeviceArray<int> x("x", std::vector<int>(64));
  expect_no_error(1, 64, rotate_twice<true>, x.data());
  expect_error(
      AllOf(HasSubstr("of shared memory at byte"), HasSubstr("got a race; put a barrier between them")), 1,
      64, rotate_twice<false>, x.data());
}

template <bool has_syncwarp>
__global__ void swap_pairs(int* x) {
  __shared__ int tile[32];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncwarp();
  const int other = tile[threadIdx.x ^ 1];
  if (has_syncwarp) {
    __syncwarp();
  } else {
    __shfl_sync(kAllLanes, other, 0);  // meets, but orders no memory
  }
  tile[threadIdx.x] = other;
  x[threadIdx.x] = tile[threadIdx.x];
}
TEST(Emulator, TellsAShuffleFromASyncwarpWhichOrdersMemory) {
  DeviceArray<int> x("x", std::vector<int>(32));
  expect_no_error(1, 32, swap_pairs<true>, x.data());
  expect_error(HasSubstr("ordered after the read by warp 0 at emulator_test.cpp:"), 1, 32, swap_pairs<false>,
               x.data());
}

__global__ void share_a_byte(std::uint8_t* mask) {
  mask[blockIdx.x / 2] = 1;
}
__global__ void set_by_store(int* flag) {
  *flag = 1;
}
__global__ void set_by_atomic(int* flag) {
  atomicOr(flag, 1 << (threadIdx.x % 31));
}
TEST(Emulator, FindsRacesOnGlobalMemoryBetweenThreadsAndBlocksButNotBetweenAtomics) {
  auto mask = DeviceArray<std::uint8_t>::uninitialised("mask", 2);
  DeviceArray<int> flag("flag", {0});
  expect_error(AllOf(HasSubstr("expected a write of mask at byte"), HasSubstr("by another block at"),
                     HasSubstr("use two launches, or an atomic")),
               4, 1, share_a_byte, mask.data());
  expect_error(HasSubstr("expected a write of flag at byte 0 ordered after the write by warp 0"), 1, 2,
               set_by_store, flag.data());
  expect_no_error(4, 32, set_by_atomic, flag.data());
}

// ---- bounds ----

__global__ void copy_next(const float* x, float* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) y[i] = x[i + 1];
}
TEST(Emulator, FindsAnOffByOneReadOfGlobalMemory) {
  DeviceArray<float> x("x", std::vector<float>(100));
  auto y = DeviceArray<float>::uninitialised("y", 100);
  expect_error(
      AllOf(
          HasSubstr("copy_next, block (1,0,0), thread (35,0,0), seed "), HasSubstr("emulator_test.cpp:"),
          HasSubstr("expected a read within device memory, got 4 bytes that end 4 bytes past the end of x")),
      2, 64, copy_next, x.data(), y.data(), 100);
}

__global__ void fill(float* y, int first) {
  y[static_cast<int>(threadIdx.x) + first] = 1.0f;
}
TEST(Emulator, FindsAWriteBeforeAnArrayAndOneThroughAPointerOfTheHost) {
  auto y = DeviceArray<float>::uninitialised("y", 32, 3);
  expect_error(HasSubstr("expected a write within device memory, got 4 bytes that begin 4 bytes before y"), 1,
               32, fill, y.data(), -1);
  std::vector<float> host(32);
  expect_error(HasSubstr("expected a write within device memory, got 4 bytes"), 1, 32, fill, host.data(), 0);
}

__global__ void overrun_tile(int* y) {
  __shared__ int tile[64];
  __shared__ int other[64];
  other[threadIdx.x] = 0;
  tile[threadIdx.x + 1] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x] + other[threadIdx.x];
}
__global__ void overrun_row(int* y) {
  __shared__ int tile[8][8];
  tile[threadIdx.x / 8][threadIdx.x % 8 + 1] = 1;  // inside the array, past its row
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x / 8][7];
}
__global__ void overrun_by_cast(int* y) {
  alignas(16) __shared__ int tile[64];
  reinterpret_cast<int4*>(tile)[threadIdx.x + 1] = make_int4(1, 2, 3, 4);
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x + 4];
}
TEST(Emulator, FindsAnOffByOneAccessOfASharedArrayOrOfItsRow) {
  auto y = DeviceArray<int>::uninitialised("y", 64);
  expect_error(AllOf(HasSubstr("thread (63,0,0)"), HasSubstr("expected an index within 'int [64]', got 64")),
               1, 64, overrun_tile, y.data());
  expect_error(HasSubstr("expected an index within 'int [8]', got 8"), 1, 64, overrun_row, y.data());
  expect_error(HasSubstr("expected the address of an aligned, whole 'struct int4'"), 1, 16, overrun_by_cast,
               y.data());
}

__global__ void load_vector(const float* x, float* y, int first) {
  y[threadIdx.x] = reinterpret_cast<const float4*>(x + first)->x;
}
TEST(Emulator, FindsAMisalignedVectorLoad) {
  DeviceArray<float> x("x", std::vector<float>(64));
  auto y = DeviceArray<float>::uninitialised("y", 1);
  expect_no_error(1, 1, load_vector, x.data(), y.data(), 4);
  expect_error(
      HasSubstr(
          "expected the address of an aligned, whole 'const struct float4', got one 4 past a multiple of 16"),
      1, 1, load_vector, x.data(), y.data(), 1);
}

struct Tile {
  int4 v[9];
};
__global__ void copy_tile(Tile* y) {
  __shared__ Tile tile;
  tile.v[threadIdx.x] = make_int4(1, 2, 3, 4);
  *y = tile;
}
TEST(Emulator, SeesTheAssignmentOfAStruct) {
  auto y = DeviceArray<Tile>::uninitialised("y", 1);
  expect_error(HasSubstr("which nothing has written"), 1, 1, copy_tile, y.data());
}

// ---- collectives ----

__global__ void barrier_in_branch() {
  if (threadIdx.x < 40) __syncthreads();
}
__global__ void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
TEST(Emulator, FindsADivergentBarrier) {
  expect_error(
      AllOf(HasSubstr("expected every thread that a barrier or a mask names to reach it, got threads 0-39 "
                      "wait in __syncthreads at emulator_test.cpp:"),
            HasSubstr("; 40-63 have exited")),
      1, 64, barrier_in_branch);
  expect_error(AllOf(HasSubstr("threads 0-31 wait"), HasSubstr("; 32-63 wait")), 1, 64, two_barriers);
}

__global__ void shuffle_after_exit(int* y, unsigned mask) {
  if (threadIdx.x >= 24) return;
  y[threadIdx.x] = __shfl_down_sync(mask, 1, 1);
}
__global__ void shuffle_from_outside(int* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_xor_sync(0xFFFFu, 1, 16);
}
__global__ void shuffle_without_caller(int* y) {
  y[threadIdx.x] = __shfl_sync(0x10u, 1, 4);
}
TEST(Emulator, FindsAShuffleWithAWrongMask) {
  auto y = DeviceArray<int>::uninitialised("y", 32);
  expect_error(
      AllOf(HasSubstr("0-23 wait in __shfl_down_sync ffffffff at"), HasSubstr("; 24-31 have exited")), 1, 32,
      shuffle_after_exit, y.data(), kAllLanes);
  expect_error(HasSubstr("__shfl_sync: expected a mask that names the calling lane, got lane "), 1, 9,
               shuffle_without_caller, y.data());
  expect_error(HasSubstr("expected a source lane that the mask names, got lane 24 and mask 00ffffff"), 1, 32,
               shuffle_after_exit, y.data(), 0xFFFFFFu);
  expect_error(HasSubstr("expected a source lane that the mask names"), 1, 32, shuffle_from_outside,
               y.data());
}

__global__ void collectives(int* y) {
  const int i = static_cast<int>(threadIdx.x), lane = i % 32;
  int sum = i;
  for (int apart = 16; apart > 0; apart /= 2) sum += __shfl_xor_sync(kAllLanes, sum, apart);
  const unsigned odd = __ballot_sync(kAllLanes, i % 2);
  const int up = __shfl_up_sync(kAllLanes, i, 1), down = __shfl_down_sync(kAllLanes, i, 5, 8);
  const int of_eight = __shfl_sync(kAllLanes, i, 3, 8);
  int right = sum == (i < 32 ? 496 : 1520);
  right += odd == 0xAAAAAAAAu;
  right += up == (lane == 0 ? i : i - 1);
  right += down == (i % 8 < 3 ? i + 5 : i);
  right += of_eight == i / 8 * 8 + 3;
  right += __any_sync(kAllLanes, lane == 5) != 0 && __all_sync(kAllLanes, lane == 5) == 0;
  y[i] = right;
  atomicAdd(y + 64, 1);
  atomicMax(y + 65, i);
}
TEST(Emulator, GivesCollectivesAndAtomicsTheirDocumentedResults) {
  for_each_seed([] {
    DeviceArray<int> y("y", std::vector<int>(66));
    emulate(1, 64, collectives, y.data());
    std::vector<int> expected(66, 6);
    expected[64] = 64;
    expected[65] = 63;
    EXPECT_EQ(y.values(), expected);
  });
}

// ---- launches ----

__global__ void number_threads(int* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  y[block * 12 + thread] += static_cast<int>(block * 12 + thread);
}
TEST(Emulator, RunsEveryThreadOfEveryBlockOnce) {
  DeviceArray<int> y("y", std::vector<int>(6 * 12));
  emulate(dim3(3, 2), dim3(3, 2, 2), number_threads, y.data());
  for (int i = 0; i < 72; ++i) EXPECT_EQ(y.values()[i], i);
}

TEST(Emulator, RefusesBlocksAndGridsThatNoDeviceTakes) {
  EXPECT_THAT(error_of(1, 1025, barrier_in_branch),
              HasSubstr("expected 1 to 1024 threads a block, got 1025"));
  EXPECT_THAT(error_of(1, 0, barrier_in_branch), HasSubstr("expected 1 to 1024 threads a block, got 0"));
  EXPECT_THAT(error_of(0, 32, barrier_in_branch), HasSubstr("blocks, got (0,1,1)"));
}

__global__ void order_of_arrival(int* next, int* arrivals) {
  arrivals[threadIdx.x] = atomicAdd(next, 1);
}
TEST(Emulator, GivesAnotherOrderOfThreadsForEachSeedAndTheSameForOne) {
  std::vector<std::vector<int>> orders;
  for (const std::uint64_t seed : {5, 5, 6, 7}) {
    set_seed(seed);
    DeviceArray<int> next("next", {0});
    auto arrivals = DeviceArray<int>::uninitialised("arrivals", 64);
    emulate(1, 64, order_of_arrival, next.data(), arrivals.data());
    orders.push_back(arrivals.values());
  }
  EXPECT_EQ(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
  EXPECT_NE(orders[2], orders[3]);
}

// ---- limits ----

__global__ void overrun_by_pointer(int* y, int past) {
  __shared__ int tile[64];
  __shared__ int other[64];
  int* volatile hidden = tile;  // the compiler loses the array, as it does through a call that is not inlined
  hidden[past] = 1;
  y[0] = &tile[0] == &other[0];
}
TEST(EmulatorLimits, MissesAWriteThatLandsInAnotherSharedArrayOfTheProgram) {
  auto y = DeviceArray<int>::uninitialised("y", 1);
  EXPECT_EQ(error_of(1, 1, overrun_by_pointer, y.data(), 64), "no error");
}

}  // namespace
}  // namespace samebits::cuda_emulator
