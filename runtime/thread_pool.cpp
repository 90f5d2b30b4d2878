// One mutex, two conditions. Worker i always takes block i; the caller takes block 0. Who waits looks for
// some microseconds before it sleeps: waking a thread costs as much as a small layer, and the next layer
// comes at once.
#include "runtime/thread_pool.h"

#include <algorithm>

#include "io/error.h"

namespace samebits::runtime {
namespace {

/// Some 20 to 100 microseconds, by processor.
constexpr int kLooks = 2000;

template <class Condition>
void look_for(const Condition& condition) {
  for (int i = 0; i < kLooks && !condition(); ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1) io::fail("[runtime] threads: expected at least 1, got ", threads);
  errors_.resize(static_cast<std::size_t>(threads));
  for (std::int64_t block = 1; block < threads; ++block)
    workers_.emplace_back([this, block](const std::stop_token& stop) { work(stop, block); });
}

void ThreadPool::parallel_for(std::int64_t n, std::int64_t grain, const Body& body) {
  if (n <= 0) return;
  const Job job{&body, n, std::clamp<std::int64_t>(n / grain, 1, threads())};
  if (job.blocks == 1) return body(0, n);
  {
    const std::lock_guard lock(mutex_);
    job_ = job;
    ++generation_;
    running_ = job.blocks - 1;
    std::fill(errors_.begin(), errors_.end(), nullptr);
  }
  job_changed_.notify_all();
  run_block(job, 0);
  look_for([&] { return running_ == 0; });
  std::unique_lock lock(mutex_);
  block_done_.wait(lock, [&] { return running_ == 0; });
  for (const std::exception_ptr& error : errors_)
    if (error) std::rethrow_exception(error);
}

void ThreadPool::work(const std::stop_token& stop, std::int64_t block) {
  std::uint64_t seen = 0;
  while (true) {
    Job job;
    look_for([&] { return generation_ != seen || stop.stop_requested(); });
    {
      std::unique_lock lock(mutex_);
      if (!job_changed_.wait(lock, stop, [&] { return generation_ != seen; })) return;
      seen = generation_;
      job = job_;
    }
    if (block >= job.blocks) continue;
    run_block(job, block);
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) block_done_.notify_one();
  }
}

void ThreadPool::run_block(const Job& job, std::int64_t block) {
  // The first blocks take one item more when the division leaves a rest.
  const std::int64_t size = job.n / job.blocks, rest = job.n % job.blocks;
  const std::int64_t begin = block * size + std::min(block, rest);
  try {
    (*job.body)(begin, begin + size + (block < rest ? 1 : 0));
  } catch (...) {
    errors_[static_cast<std::size_t>(block)] = std::current_exception();
  }
}

}  // namespace samebits::runtime
