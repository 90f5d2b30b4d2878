// A fork-join pool: loops cut into one block a thread. Which thread takes which block is fixed, nothing is
// queued.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace samebits::runtime {

class ThreadPool {
 public:
  using Body = std::function<void(std::int64_t begin, std::int64_t end)>;

  /// `threads` >= 1, the caller's own included: 1 starts none.
  explicit ThreadPool(int threads);

  /// Calls `body` on blocks that cover [0, n), each of at least `grain` >= 1 items except one that is alone,
  /// and waits for all. When blocks throw, all others still end, and the exception of the first block that
  /// threw is thrown on. Not from inside a body, nor from two threads at once.
  void parallel_for(std::int64_t n, std::int64_t grain, const Body& body);

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

 private:
  struct Job {
    const Body* body = nullptr;
    std::int64_t n = 0, blocks = 0;
  };

  void work(const std::stop_token& stop, std::int64_t block);
  void run_block(const Job& job, std::int64_t block);

  std::mutex mutex_;
  std::condition_variable_any job_changed_, block_done_;
  Job job_;                                    // guarded by mutex_; the two below change under it
  std::atomic<std::uint64_t> generation_ = 0;  // counts jobs, so that no worker takes one twice
  std::atomic<std::int64_t> running_ = 0;      // workers whose block has not ended
  std::vector<std::exception_ptr> errors_;     // one a block; each written by its thread alone
  std::vector<std::jthread> workers_;          // last: they end before what they use
};

}  // namespace samebits::runtime
