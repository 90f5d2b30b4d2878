// Who runs: blocks one after another in a random order; the threads of a block are fibers that switch at
// barriers, warp collectives and atomics, again in a random order. Compiled without the sanitizer flags.
#undef _FORTIFY_SOURCE  // its longjmp refuses to change stacks

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "tests/cuda_emulator/state.h"
#include "tests/cuda_emulator/symbols.h"

namespace samebits::cuda_emulator {

Device device;

namespace {

std::uint64_t launches = 0;
bool refuse_next = false;

// ---- fibers ----

/// Leaves this context in `from` and goes on where `to` was left.
void switch_context(sigjmp_buf& from, sigjmp_buf& to) {
  if (_setjmp(from) == 0) _longjmp(to, 1);
}

void yield() {
  switch_context(device.running->registers, device.scheduler);
}

void resume(Fiber& fiber) {
  device.running = &fiber;
  switch_context(device.scheduler, fiber.registers);
  device.running = nullptr;
}

[[noreturn]] void fiber_main() {
  Fiber& self = *device.running;
  yield();  // made; from here on each resumption is one thread of one block
  for (;;) {
    device.observed = &self;
    device.launch->thread(*device.launch);
    device.observed = nullptr;
    self.status = Status::kExited;
    ++device.exited;
    yield();
  }
}

std::unique_ptr<Fiber> make_fiber(unsigned thread) {
  auto fiber = std::make_unique<Fiber>();
  void* const memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw Error("[cuda_emulator] stack of a thread: expected 64 KiB, got none");
  mprotect(memory, 4096, PROT_NONE);  // stacks grow down to here
  fiber->stack = {static_cast<char*>(memory), +[](char* p) { munmap(p, kStackBytes); }};
  fiber->warp = thread / kLanes;
  fiber->lane = thread % kLanes;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = memory;
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, fiber_main, 0);
  device.running = fiber.get();
  if (_setjmp(device.scheduler) == 0) setcontext(&context);
  device.running = nullptr;
  return fiber;
}

/// A fiber that waits can run again, at some time of the scheduler's choice.
void make_ready(Fiber& fiber) {
  fiber.status = Status::kReady;
  device.ready.push_back(&fiber);
}

// ---- texts ----

std::string text(const uint3& v) {
  char digits[40];
  std::snprintf(digits, sizeof(digits), "(%u,%u,%u)", v.x, v.y, v.z);
  return digits;
}

std::string text_of_mask(unsigned mask) {
  char digits[16];
  std::snprintf(digits, sizeof(digits), "%08x", mask);
  return digits;
}

std::string place_of(const Where& where) {
  return place(where.file_name(), where.line());
}

/// What one thread does while nobody can run.
std::string whereabouts(const Fiber& fiber) {
  if (fiber.status == Status::kExited) return "have exited";
  std::string here = "wait in ";
  if (fiber.status == Status::kAtBarrier) {
    here += "__syncthreads";
  } else {
    here.append(fiber.call.name).append(" ").append(text_of_mask(fiber.call.mask));
  }
  return here.append(" at ").append(place_of(fiber.where));
}

/// Nobody can run and somebody waits. Says where everyone is, as far as four runs of threads tell.
[[noreturn]] void fail_stuck() {
  constexpr int kRuns = 4;
  std::string all;
  unsigned first = 0;
  for (int run = 0; run < kRuns && first < device.threads; ++run) {
    const std::string here = whereabouts(*device.fibers[first]);
    unsigned end = first + 1;
    while (end < device.threads && whereabouts(*device.fibers[end]) == here) ++end;
    all +=
        (run == 0 ? "threads " : "; ") + std::to_string(first) + "-" + std::to_string(end - 1) + " " + here;
    first = end;
  }
  if (first < device.threads) all += "; ...";
  fail("", "expected every thread that a barrier or a mask names to reach it, got " + all);
}

// ---- collectives ----

bool is_same_call(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() && a.file_name() == b.file_name();
}

template <class Act>
void for_each_lane(unsigned mask, Act act) {
  for (; mask != 0; mask &= mask - 1) act(static_cast<unsigned>(__builtin_ctz(mask)));
}

bool has_lane(unsigned mask, unsigned lane) {
  return lane < kLanes && (mask >> lane & 1) != 0;
}

Fiber& fiber_of(unsigned warp, unsigned lane) {
  return *device.fibers[warp * kLanes + lane];
}

void check_lane(const WarpCall& call, const Where& where, const char* expected, unsigned lane) {
  if (has_lane(call.mask, lane)) return;
  fail(place_of(where), std::string(call.name) + ": expected " + expected + ", got lane " +
                            std::to_string(lane) + " and mask " + text_of_mask(call.mask));
}

/// Whether all lanes of the mask stand at the call that `self` stands at.
bool is_complete(const Fiber& self) {
  bool complete = true;
  for_each_lane(self.call.mask, [&](unsigned lane) {
    const bool exists = self.warp * kLanes + lane < device.threads;
    complete = complete && exists && fiber_of(self.warp, lane).status == Status::kInWarpCall &&
               fiber_of(self.warp, lane).call.mask == self.call.mask &&
               is_same_call(fiber_of(self.warp, lane).where, self.where);
  });
  return complete;
}

/// What each lane of the mask did until now comes before what any of them does from now on.
void order_accesses(unsigned warp, unsigned mask) {
  std::array<std::uint16_t, kLanes> known{};
  unsigned latest = 0;
  for_each_lane(mask, [&](unsigned lane) {
    const Fiber& fiber = fiber_of(warp, lane);
    for (unsigned i = 0; i < kLanes; ++i) known[i] = std::max(known[i], fiber.known[i]);
    known[lane] = std::max(known[lane], fiber.clock);
    latest = std::max<unsigned>(latest, fiber.clock);
  });
  for_each_lane(mask, [&](unsigned lane) {
    fiber_of(warp, lane).known = known;
    fiber_of(warp, lane).clock = static_cast<std::uint16_t>(std::min(latest + 1, 0xFFFFu));
  });
}

void complete_call(unsigned warp, unsigned mask, Exchange exchange) {
  std::uint64_t votes = 0;
  for_each_lane(mask, [&](unsigned lane) { votes |= (fiber_of(warp, lane).call.value & 1) << lane; });
  for_each_lane(mask, [&](unsigned lane) {
    Fiber& fiber = fiber_of(warp, lane);
    fiber.call.result = exchange == Exchange::kVote ? votes : fiber_of(warp, fiber.call.source).call.value;
    make_ready(fiber);
  });
  if (exchange == Exchange::kMemory) order_accesses(warp, mask);
}

/// All threads go on, and whatever they do comes after whatever was done before.
void begin_phase() {
  ++device.phase;
  device.at_barrier = 0;
  for (unsigned t = 0; t < device.threads; ++t) {
    device.fibers[t]->clock = 1;
    device.fibers[t]->known.fill(0);
    make_ready(*device.fibers[t]);
  }
}

// ---- launches ----

[[noreturn]] void throw_failure() {
  device.fibers.clear();  // their stacks hold half-run threads
  device.launch = nullptr;
  throw Error(*device.failure);
}

uint3 coordinates(std::uint64_t i, const dim3& size) {
  const std::uint64_t row = i / size.x;
  return {static_cast<unsigned>(i % size.x), static_cast<unsigned>(row % size.y),
          static_cast<unsigned>(row / size.y)};
}

void check_limits(const Launch& launch) {
  const std::uint64_t threads = std::uint64_t{launch.block.x} * launch.block.y * launch.block.z;
  if (threads == 0 || threads > kMaxThreads)
    fail("", "expected 1 to 1024 threads a block, got " + std::to_string(threads));
  const dim3 grid = launch.grid;
  if (grid.x == 0 || grid.x > INT32_MAX || grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535)
    fail("", "expected a grid of 1 to 2147483647 by 1 to 65535 by 1 to 65535 blocks, got " +
                 text({grid.x, grid.y, grid.z}));
}

void place_threads(const dim3& block) {
  device.threads = block.x * block.y * block.z;
  while (device.fibers.size() < device.threads)
    device.fibers.push_back(make_fiber(static_cast<unsigned>(device.fibers.size())));
  for (unsigned t = 0; t < device.threads; ++t) device.fibers[t]->index = coordinates(t, block);
}

void run_block() {
  device.exited = 0;
  device.ready.clear();
  begin_phase();
  device.block_phase = device.phase;
  while (!device.ready.empty()) {
    std::swap(device.ready[device.random() % device.ready.size()], device.ready.back());
    Fiber& next = *device.ready.back();
    device.ready.pop_back();
    resume(next);
    if (device.failure) throw_failure();
  }
  if (device.exited != device.threads) fail_stuck();
}

}  // namespace

std::string place(std::string_view file, std::uint32_t line) {
  return std::string(file.substr(file.rfind('/') + 1)) + ":" + std::to_string(line);
}

[[noreturn]] void fail(const std::string& at, const std::string& what) {
  device.failure = "[cuda_emulator] " + function_name(device.launch->kernel) + ", block " +
                   text(device.block) +
                   (device.running != nullptr ? ", thread " + text(device.running->index) : "") + ", seed " +
                   std::to_string(device.seed) + (at.empty() ? "" : ", " + at) + ": " + what;
  if (device.running == nullptr) throw_failure();
  _longjmp(device.scheduler, 1);  // what this thread had allocated is lost: a failing test may leak
}

void set_seed(std::uint64_t seed) {
  device.seed = seed;
}
void refuse_next_launch() {
  refuse_next = true;
}
std::uint64_t launch_count() {
  return launches;
}
bool admit_launch() {
  ++launches;
  return !std::exchange(refuse_next, false);
}

uint3 thread_index() {
  return device.running->index;
}
uint3 block_index() {
  return device.block;
}
dim3 block_size() {
  return device.launch->block;
}
dim3 grid_size() {
  return device.launch->grid;
}
unsigned lane_index() {
  return device.running->lane;
}

void sync_block(Where where) {
  const Unobserved unobserved;
  Fiber& self = *device.running;
  self.status = Status::kAtBarrier;
  self.where = where;
  if (++device.at_barrier == device.threads) {
    const auto end = device.fibers.begin() + device.threads;
    const auto is_here = [&](const auto& fiber) { return is_same_call(fiber->where, where); };
    if (std::all_of(device.fibers.begin(), end, is_here)) begin_phase();
  }
  yield();
}

std::uint64_t sync_warp(const char* name, unsigned mask, Exchange exchange, std::uint64_t value,
                        unsigned source, Where where) {
  const Unobserved unobserved;
  Fiber& self = *device.running;
  self.call = {.name = name, .mask = mask, .source = source, .value = value};
  self.where = where;
  check_lane(self.call, where, "a mask that names the calling lane", self.lane);
  if (exchange == Exchange::kShuffle)
    check_lane(self.call, where, "a source lane that the mask names", source);
  self.status = Status::kInWarpCall;
  if (is_complete(self)) complete_call(self.warp, mask, exchange);
  yield();
  return self.call.result;
}

AtomicAccess::AtomicAccess(const volatile void* address, std::size_t bytes) {
  const void* const code = __builtin_return_address(0);
  device.observed = nullptr;
  make_ready(*device.running);
  yield();
  check_access(address, bytes, AccessKind::kAtomic, code);
  device.observed = nullptr;
}
AtomicAccess::~AtomicAccess() {
  device.observed = device.running;
}

void run(const Launch& launch) {
  device.launch = &launch;
  device.block = {};
  device.failure.reset();
  device.random.seed(static_cast<unsigned>(device.seed));
  check_limits(launch);
  place_threads(launch.block);
  const LaunchMemory memory(launch);
  device.launch_phase = device.phase + 1;
  std::vector<std::uint64_t> blocks(std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z);
  std::iota(blocks.begin(), blocks.end(), 0);
  std::shuffle(blocks.begin(), blocks.end(), device.random);
  for (const std::uint64_t block : blocks) {
    device.block = coordinates(block, launch.grid);
    run_block();
  }
  device.launch = nullptr;
}

}  // namespace samebits::cuda_emulator
