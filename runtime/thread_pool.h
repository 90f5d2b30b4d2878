// A fork-join pool: loops cut into one block a thread. Which thread takes which block is fixed, nothing is
// queued.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace samebits::runtime {

/// Something callable with a range, not owned: a std::function would allocate for each loop.
class RangeBody {
 public:
  template <class F>
  RangeBody(const F& body)  // NOLINT: lambdas are passed as they are
      : body_(&body), call_([](const void* f, std::int64_t begin, std::int64_t end) {
          (*static_cast<const F*>(f))(begin, end);
        }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(body_, begin, end); }

 private:
  const void* body_;
  void (*call_)(const void* body, std::int64_t begin, std::int64_t end);
};

class ThreadPool {
 public:
  using Body = RangeBody;

  /// `threads` >= 1, the caller's own included: 1 starts none.
  explicit ThreadPool(int threads);
  /// In a fork of the process that made it, there are no threads to wait for.
  ~ThreadPool();

  /// Throws std::runtime_error in a fork of the process that made it: its other threads are not there.
  void check_process() const;

  /// Calls `body` on blocks that cover [0, n), each of at least `grain` >= 1 items except one that is alone,
  /// and waits for all. When blocks throw, all others still end, and the exception of the first block that
  /// threw is thrown on. Not from inside a body, nor from two threads at once.
  void parallel_for(std::int64_t n, std::int64_t grain, const Body& body);

  int threads() const { return threads_; }

 private:
  struct Job {
    const Body* body = nullptr;
    std::int64_t n = 0, blocks = 0;
  };
  /// On the heap, as a fork of the process must not touch it: its mutex and conditions are those of threads
  /// that are not there.
  struct Shared {
    std::mutex mutex;
    std::condition_variable_any job_changed, block_done;
    Job job;                                    // guarded by the mutex; the two below change under it
    std::atomic<std::uint64_t> generation = 0;  // counts jobs, so that no worker takes one twice
    std::atomic<std::int64_t> running = 0;      // workers whose block has not ended
    std::vector<std::exception_ptr> errors;     // one a block; each written by its thread alone
    std::vector<std::jthread> workers;          // last: they end before what they use
  };

  static void work(Shared& shared, const std::stop_token& stop, std::int64_t block);
  static void run_block(Shared& shared, const Job& job, std::int64_t block);

  int process_, threads_;
  std::unique_ptr<Shared> shared_;
};

}  // namespace samebits::runtime
