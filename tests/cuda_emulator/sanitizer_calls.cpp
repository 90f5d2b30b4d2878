// The functions that -fsanitize=thread,bounds,alignment,object-size makes the compiler call, answered by the
// emulator: neither libtsan nor libubsan is linked. What is missing here shows as a link error. Compiled
// without the flags.
#include <cstdio>
#include <cstdlib>

#include "tests/cuda_emulator/state.h"

namespace samebits::cuda_emulator {
namespace {

void check(void* address, std::size_t bytes, AccessKind kind, const void* code) {
  if (device.observed != nullptr) check_access(address, bytes, kind, code);
}

/// The start of what the compiler hands to the functions of -fsanitize=bounds and alignment.
struct UndefinedAt {
  const char* file;
  std::uint32_t line, column;
  const struct {
    std::uint16_t kind, info;
    char name[1];
  } * type;
};

[[noreturn]] void fail_undefined(const UndefinedAt& at, const char* expected, const std::string& got) {
  const std::string what = std::string("expected ") + expected + " " + at.type->name + ", got " + got;
  const std::string where = place(at.file, at.line);
  if (device.running != nullptr) fail(where, what);
  std::fprintf(stderr, "[cuda_emulator] %s: host code: %s\n", where.c_str(), what.c_str());
  std::abort();
}

}  // namespace

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define SAMEBITS_ACCESS(name, bytes, kind)                          \
  void name(void* p) {                                              \
    check(p, bytes, AccessKind::kind, __builtin_return_address(0)); \
  }
#define SAMEBITS_ACCESSES(bytes)                              \
  SAMEBITS_ACCESS(__tsan_read##bytes, bytes, kRead)           \
  SAMEBITS_ACCESS(__tsan_write##bytes, bytes, kWrite)         \
  SAMEBITS_ACCESS(__tsan_unaligned_read##bytes, bytes, kRead) \
  SAMEBITS_ACCESS(__tsan_unaligned_write##bytes, bytes, kWrite)
SAMEBITS_ACCESSES(1)
SAMEBITS_ACCESSES(2)
SAMEBITS_ACCESSES(4)
SAMEBITS_ACCESSES(8)
SAMEBITS_ACCESSES(16)
#undef SAMEBITS_ACCESSES
#undef SAMEBITS_ACCESS
void __tsan_read_range(void* p, std::size_t bytes) {
  check(p, bytes, AccessKind::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* p, std::size_t bytes) {
  check(p, bytes, AccessKind::kWrite, __builtin_return_address(0));
}

// Atomics of the tests' own code (reference counts, guards of static objects); kernels use those of
// cuda_language.h.
std::uint8_t __tsan_atomic8_load(const volatile std::uint8_t* p, int) {
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
std::int64_t __tsan_atomic64_load(const volatile std::int64_t* p, int) {  // Kernel's choice, on the host
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
void __tsan_atomic64_store(volatile std::int64_t* p, std::int64_t value, int) {
  __atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}
std::int32_t __tsan_atomic32_fetch_add(std::int32_t* p, std::int32_t value, int) {
  return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);
}
std::int32_t __tsan_atomic32_fetch_sub(std::int32_t* p, std::int32_t value, int) {
  return __atomic_fetch_sub(p, value, __ATOMIC_SEQ_CST);
}

void __ubsan_handle_out_of_bounds_abort(const UndefinedAt* at, std::uintptr_t index) {
  const Unobserved unobserved;
  fail_undefined(*at, "an index within", std::to_string(static_cast<std::intptr_t>(index)));
}
void __ubsan_handle_type_mismatch_v1_abort(const UndefinedAt* at, std::uintptr_t address) {
  const Unobserved unobserved;
  fail_undefined(*at, "the address of an aligned, whole",
                 "one " + std::to_string(address % 16) + " past a multiple of 16");
}
}  // extern "C"

}  // namespace samebits::cuda_emulator
