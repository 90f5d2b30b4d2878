// One mutex, two conditions. Worker i always takes block i; the caller takes block 0. Who waits looks for
// some microseconds before it sleeps: waking a thread costs as much as a small layer, and the next layer
// comes at once.
#include "runtime/thread_pool.h"

#include <unistd.h>

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

ThreadPool::ThreadPool(int threads)
    : process_(::getpid()), threads_(threads), shared_(std::make_unique<Shared>()) {
  if (threads < 1) io::fail("[runtime] threads: expected at least 1, got ", threads);
  Shared& shared = *shared_;
  shared.errors.resize(static_cast<std::size_t>(threads));
  for (std::int64_t block = 1; block < threads; ++block)
    shared.workers.emplace_back([&shared, block](const std::stop_token& stop) { work(shared, stop, block); });
}

ThreadPool::~ThreadPool() {
  if (::getpid() != process_) (void)shared_.release();
}

void ThreadPool::check_process() const {
  if (threads_ == 1 || ::getpid() == process_) return;
  io::fail("[runtime] threads: expected the process that made them, ", process_, ", got a fork of it, ",
           ::getpid(), "; make the interpreter in the process that runs it");
}

void ThreadPool::parallel_for(std::int64_t n, std::int64_t grain, const Body& body) {
  if (n <= 0) return;
  const Job job{&body, n, std::clamp<std::int64_t>(n / grain, 1, threads())};
  if (job.blocks == 1) return body(0, n);
  Shared& shared = *shared_;
  {
    const std::lock_guard lock(shared.mutex);
    shared.job = job;
    ++shared.generation;
    shared.running = job.blocks - 1;
    std::fill(shared.errors.begin(), shared.errors.end(), nullptr);
  }
  shared.job_changed.notify_all();
  run_block(shared, job, 0);
  look_for([&] { return shared.running == 0; });
  std::unique_lock lock(shared.mutex);
  shared.block_done.wait(lock, [&] { return shared.running == 0; });
  for (const std::exception_ptr& error : shared.errors)
    if (error) std::rethrow_exception(error);
}

void ThreadPool::work(Shared& shared, const std::stop_token& stop, std::int64_t block) {
  std::uint64_t seen = 0;
  while (true) {
    Job job;
    look_for([&] { return shared.generation != seen || stop.stop_requested(); });
    {
      std::unique_lock lock(shared.mutex);
      if (!shared.job_changed.wait(lock, stop, [&] { return shared.generation != seen; })) return;
      seen = shared.generation;
      job = shared.job;
    }
    if (block >= job.blocks) continue;
    run_block(shared, job, block);
    const std::lock_guard lock(shared.mutex);
    if (--shared.running == 0) shared.block_done.notify_one();
  }
}

void ThreadPool::run_block(Shared& shared, const Job& job, std::int64_t block) {
  // The first blocks take one item more when the division leaves a rest.
  const std::int64_t size = job.n / job.blocks, rest = job.n % job.blocks;
  const std::int64_t begin = block * size + std::min(block, rest);
  try {
    (*job.body)(begin, begin + size + (block < rest ? 1 : 0));
  } catch (...) {
    shared.errors[static_cast<std::size_t>(block)] = std::current_exception();
  }
}

}  // namespace samebits::runtime
