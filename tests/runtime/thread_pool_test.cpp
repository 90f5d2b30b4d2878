// runtime/thread_pool.h: every item once, whoever takes it; errors reach the caller.
#include "runtime/thread_pool.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "tests/io/test_files.h"

namespace samebits::runtime {
namespace {

TEST(ThreadPool, GivesEveryItemToOneBlock) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t n : {0, 1, 2, 3, 7, 8, 9, 1000}) {
      for (const std::int64_t grain : {1, 3, 500, 5000}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, n = " << n << ", grain = " << grain);
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
        std::atomic<bool> has_short_block = false;
        pool.parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
          if (end - begin < std::min(n, grain)) has_short_block = true;
          for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
        EXPECT_FALSE(has_short_block);
        for (const auto& count : visits) EXPECT_EQ(count, 1);
      }
    }
  }
}

TEST(ThreadPool, UsesAsManyThreadsAsItHas) {
  ThreadPool pool(3);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.parallel_for(3, 1, [&](std::int64_t, std::int64_t) {
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_TRUE(ids.contains(std::this_thread::get_id()));
}

TEST(ThreadPool, ThrowsWhatTheFirstBlockThatFailedThrewAfterAllBlocksEnded) {
  ThreadPool pool(4);
  for (const std::int64_t failing : {0, 1, 2, 3}) {
    std::atomic<int> ended = 0;
    const std::string error = error_of([&] {
      pool.parallel_for(4, 1, [&](std::int64_t begin, std::int64_t) {
        ++ended;
        if (begin >= failing) throw std::runtime_error("block " + std::to_string(begin));
      });
    });
    EXPECT_EQ(error, "block " + std::to_string(failing));
    EXPECT_EQ(ended, 4);
  }
  int after = 0;  // an error of an earlier job is not reported again
  pool.parallel_for(1, 1, [&](std::int64_t, std::int64_t) { ++after; });
  pool.parallel_for(4, 1, [&](std::int64_t begin, std::int64_t) {
    if (begin == 0) ++after;
  });
  EXPECT_EQ(after, 2);
}

TEST(ThreadPool, RunsManyShortJobsOfChangingWidthOneAfterAnother) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum = 0;
  std::int64_t expected = 0;
  for (std::int64_t job = 0; job < 5000; ++job) {
    const std::int64_t n = job % 5;
    pool.parallel_for(n, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
    expected += n;
    ASSERT_EQ(sum, expected);
  }
}

TEST(ThreadPool, RefusesToHaveNoThread) {
  EXPECT_EQ(error_of([] { ThreadPool(0); }), "[runtime] threads: expected at least 1, got 0");
}

}  // namespace
}  // namespace samebits::runtime
