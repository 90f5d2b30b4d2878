// Every access of a kernel, before it happens: is it inside device memory, was it written before it is read,
// and is it ordered with what other threads did there? The answer does not depend on the schedule: each
// granule remembers its last write and its readers, and between them and the next access there is a barrier,
// a __syncwarp, or nothing (FastTrack, Flanagan and Freund 2009, with barriers in place of locks). Compiled
// without the sanitizer flags.
#include <link.h>

#include <cstdlib>
#include <cstring>

#include "tests/cuda_emulator/state.h"
#include "tests/cuda_emulator/symbols.h"

extern "C" const char __executable_start, __data_start;  // the linker's: code and constants lie between them

namespace samebits::cuda_emulator {
namespace {

/// Who touched a granule, and when.
struct Access {
  std::uint32_t phase = 0;  // Device::phase; 0: nobody yet
  std::uint32_t lanes = 0;  // of one warp; their latest clock is `clock`
  std::uint32_t code = 0;   // the instruction (symbols.h)
  std::uint16_t clock = 0;
  std::uint8_t warp = 0;
  bool is_atomic = false;
};
constexpr std::uint8_t kSeveralWarps = 0xFF;

struct Granule {
  Access write, read;
};

enum class Space { kGlobal, kShared, kReadOnly };

struct Range {
  const void* owner;  // null: the launch
  Space space;
  std::uintptr_t begin, end;
  std::size_t granule_bytes;
  bool is_initialised;
  std::string name;
  std::unique_ptr<Granule[], decltype(&free)> granules{nullptr, &free};
};

std::vector<std::unique_ptr<Range>> ranges;
Range* last_found = nullptr;

void add_range(const void* owner, Space space, const void* data, std::size_t bytes, std::size_t granule_bytes,
               bool is_initialised, std::string name) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  auto range = std::make_unique<Range>(
      Range{owner, space, begin, begin + bytes, granule_bytes, is_initialised, std::move(name)});
  if (space != Space::kReadOnly)  // calloc: pages that no test touches cost nothing
    range->granules.reset(static_cast<Granule*>(calloc(bytes / granule_bytes + 1, sizeof(Granule))));
  ranges.push_back(std::move(range));
}

void remove_ranges(const void* owner) {
  std::erase_if(ranges, [owner](const auto& range) { return range->owner == owner; });
  last_found = nullptr;
}

Range* find_range(std::uintptr_t address) {
  const auto holds = [address](const Range& range) { return range.begin <= address && address < range.end; };
  if (last_found != nullptr && holds(*last_found)) return last_found;
  for (const auto& range : ranges)
    if (holds(*range)) return last_found = range.get();
  return nullptr;
}

// ---- order ----

/// Whether `earlier` comes before whatever the running thread does now. `lifetime`: the phase since which the
/// memory exists, that of the launch or, for shared memory, of the block.
bool is_ordered(const Access& earlier, std::uint32_t lifetime) {
  if (earlier.phase < lifetime) return true;             // nobody, or an earlier launch
  if (earlier.phase < device.block_phase) return false;  // another block of this launch
  if (earlier.phase < device.phase) return true;         // a barrier lies between
  const Fiber& self = *device.running;
  if (earlier.warp != self.warp) return false;
  for (std::uint32_t others = earlier.lanes & ~(1u << self.lane); others != 0; others &= others - 1)
    if (self.known[static_cast<unsigned>(__builtin_ctz(others))] < earlier.clock) return false;
  return true;
}

/// Puts `now` where a granule remembers, together with what it is not ordered with: a later access that is
/// ordered after `now` need not be ordered after that.
void remember(Access& slot, const Access& now, std::uint32_t lifetime) {
  if (is_ordered(slot, lifetime)) {
    slot = now;
  } else if (slot.phase >= device.block_phase) {  // another block's stays: unordered with all that follows
    if (slot.warp != now.warp) slot.warp = kSeveralWarps;
    slot.lanes |= now.lanes;
    slot.clock = std::max(slot.clock, now.clock);
  }
}

// ---- errors ----

const char* verb_of(AccessKind kind) {
  return kind == AccessKind::kRead ? "read" : kind == AccessKind::kWrite ? "write" : "atomic";
}

[[noreturn]] void fail_outside(std::uintptr_t address, std::size_t bytes, AccessKind kind,
                               std::uint32_t code) {
  std::string nearest = " far from any";
  std::uintptr_t smallest_gap = 1 << 20;
  for (const auto& range : ranges) {
    const bool is_before = address < range->begin;
    const std::uintptr_t gap = is_before ? range->begin - address : address + bytes - range->end;
    if (range->space == Space::kReadOnly || gap >= smallest_gap) continue;
    smallest_gap = gap;
    nearest = (is_before ? " that begin " : " that end ") + std::to_string(gap) +
              (is_before ? " bytes before " : " bytes past the end of ") + range->name;
  }
  fail(source_line(code), std::string("expected a ") + verb_of(kind) + " within device memory, got " +
                              std::to_string(bytes) + " bytes" + nearest);
}

[[noreturn]] void fail_race(const Range& range, std::size_t offset, AccessKind kind, const Access& earlier,
                            const char* earlier_verb, std::uint32_t code) {
  const bool same_block = earlier.phase >= device.block_phase;
  const std::string who = !same_block                     ? "another block"
                          : earlier.warp == kSeveralWarps ? "several warps"
                                                          : "warp " + std::to_string(earlier.warp);
  fail(source_line(code), std::string("expected a ") + verb_of(kind) + " of " + range.name + " at byte " +
                              std::to_string(offset) + " ordered after the " + earlier_verb + " by " + who +
                              " at " + source_line(earlier.code) + ", got a race; " +
                              (same_block ? "put a barrier between them" : "use two launches, or an atomic"));
}

[[noreturn]] void fail_unwritten(const Range& range, std::size_t offset, AccessKind kind,
                                 std::uint32_t code) {
  fail(source_line(code), std::string("expected a ") + verb_of(kind) + " of initialised memory, got byte " +
                              std::to_string(offset) + " of " + range.name +
                              ", which nothing has written; write it before, and mind the barrier");
}

void check_granule(Range& range, std::size_t index, std::size_t offset, AccessKind kind, const Access& now) {
  const std::uint32_t lifetime = range.space == Space::kShared ? device.block_phase : device.launch_phase;
  const std::uint32_t first_write = range.space == Space::kShared ? lifetime : range.is_initialised ? 0 : 1;
  Access &write = range.granules[index].write, &read = range.granules[index].read;
  if (kind != AccessKind::kWrite && write.phase < first_write) fail_unwritten(range, offset, kind, now.code);
  const bool both_atomic = now.is_atomic && write.is_atomic;
  if (!both_atomic && !is_ordered(write, lifetime)) fail_race(range, offset, kind, write, "write", now.code);
  if (kind != AccessKind::kRead && !is_ordered(read, lifetime))
    fail_race(range, offset, kind, read, "read", now.code);
  remember(kind == AccessKind::kRead ? read : write, now, lifetime);
}

// ---- what belongs to a launch ----

/// The program's thread_local objects, which is where its shared arrays are.
void add_shared_memory() {
  const auto add_program = [](dl_phdr_info* program, std::size_t, void*) {
    for (int i = 0; i < program->dlpi_phnum; ++i) {
      if (program->dlpi_phdr[i].p_type != PT_TLS) continue;
      add_range(nullptr, Space::kShared, program->dlpi_tls_data, program->dlpi_phdr[i].p_memsz, 1, false,
                "shared memory");
    }
    return 1;  // the first program is this one
  };
  dl_iterate_phdr(add_program, nullptr);
}

}  // namespace

GlobalMemory::GlobalMemory(const void* data, std::size_t bytes, std::size_t granule_bytes,
                           bool is_initialised, std::string name) {
  add_range(this, Space::kGlobal, data, bytes, granule_bytes, is_initialised, std::move(name));
}
GlobalMemory::~GlobalMemory() {
  remove_ranges(this);
}

LaunchMemory::LaunchMemory(const Launch& launch) {
  add_shared_memory();
  add_range(nullptr, Space::kReadOnly, launch.arguments, launch.argument_bytes, 0, true,
            "the kernel's parameters");
  add_range(nullptr, Space::kReadOnly, &launch, sizeof(launch), 0, true, "the launch");
  add_range(nullptr, Space::kReadOnly, &__executable_start,
            static_cast<std::size_t>(&__data_start - &__executable_start), 0, true, "a constant");
}
LaunchMemory::~LaunchMemory() {
  remove_ranges(nullptr);
}

void check_access(const volatile void* pointer, std::size_t bytes, AccessKind kind, const void* caller) {
  const Unobserved unobserved;
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  const Fiber& self = *device.running;
  if (address - reinterpret_cast<std::uintptr_t>(self.stack.get()) < kStackBytes) return;
  const std::uint32_t code = code_offset(caller);
  Range* const range = find_range(address);
  if (range == nullptr || address + bytes > range->end) fail_outside(address, bytes, kind, code);
  if (range->space == Space::kReadOnly) {
    if (kind == AccessKind::kRead) return;
    fail(source_line(code), "expected a write to device memory, got one to " + range->name);
  }
  const Access now{.phase = device.phase,
                   .lanes = 1u << self.lane,
                   .code = code,
                   .clock = self.clock,
                   .warp = static_cast<std::uint8_t>(self.warp),
                   .is_atomic = kind == AccessKind::kAtomic};
  const std::size_t offset = address - range->begin;
  const std::size_t last = (offset + bytes - 1) / range->granule_bytes;
  for (std::size_t i = offset / range->granule_bytes; i <= last; ++i)
    check_granule(*range, i, offset, kind, now);
}

}  // namespace samebits::cuda_emulator
