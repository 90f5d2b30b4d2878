// Memory that ends where the process's does: reading one byte past it ends the test, also from instructions
// that no sanitizer watches.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace samebits::kernels {

/// n elements of an arithmetic type, cleared; the byte after the last one cannot be touched.
template <class T>
class GuardPage {
 public:
  explicit GuardPage(std::int64_t n) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
    size_ = (bytes + page - 1) / page * page + page;
    start_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start_ == MAP_FAILED) throw std::bad_alloc();
    char* end = static_cast<char*>(start_) + size_ - page;
    mprotect(end, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(end - bytes);
  }
  ~GuardPage() { munmap(start_, size_); }
  GuardPage(const GuardPage&) = delete;
  GuardPage& operator=(const GuardPage&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }

 private:
  void* start_;
  T* data_;
  std::size_t size_;
};

}  // namespace samebits::kernels
