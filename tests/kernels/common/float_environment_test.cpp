// kernels/common/float_environment.h: a thread that flushes denormals, or rounds another way, is refused by
// the first call of a kernel, with the way out.
#include "kernels/common/float_environment.h"

#include <gmock/gmock.h>

#include <cfenv>

#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {
namespace {

constexpr char kFlushed[] =
    "[kernels] denormals: expected them to be kept, got a thread that flushes them to zero; call "
    "torch::set_flush_denormal(false), and link nothing with -ffast-math";
constexpr char kRounding[] =
    "[kernels] rounding: expected to the nearest float, got another mode; call fesetround(FE_TONEAREST)";

/// The control word of this thread with some bits set, for as long as this lives.
class ControlBits {
 public:
#if defined(__x86_64__)
  static constexpr unsigned kFlushResults = 0x8000, kFlushInputs = 0x0040;
  explicit ControlBits(unsigned bits) : before_(__builtin_ia32_stmxcsr()) {
    __builtin_ia32_ldmxcsr(before_ | bits);
  }
  ~ControlBits() {
    __builtin_ia32_ldmxcsr(before_);
  }

 private:
  unsigned before_;
#else
  static constexpr unsigned long kFlushResults = 1UL << 24, kFlushInputs = kFlushResults;
  explicit ControlBits(unsigned long bits) {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
    __asm__ volatile("msr fpcr, %0" : : "r"(before_ | bits));
  }
  ~ControlBits() {
    __asm__ volatile("msr fpcr, %0" : : "r"(before_));
  }

 private:
  unsigned long before_ = 0;
#endif
};

template <class Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(FloatEnvironment, IsRightAsProgramsStart) {
  EXPECT_EQ(error_of(check_float_environment), "");
}

TEST(FloatEnvironment, FlushedResultsAndFlushedInputsAreRefused) {
  for (const auto bits : {ControlBits::kFlushResults, ControlBits::kFlushInputs}) {
    std::string error;
    {
      const ControlBits flushed(bits);
      error = error_of(check_float_environment);
    }
    EXPECT_EQ(error, kFlushed);
  }
}

TEST(FloatEnvironment, AnotherRoundingIsRefused) {
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const std::string error = error_of(check_float_environment);
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(error, kRounding);
  }
}

int one() {
  return 1;
}
constexpr Implementation<int()> kList[] = {{"reference", one, isa::why_not_reference}};
const Kernel<int()> kernel_of_this_test("kernel_of_this_test", kList);

TEST(FloatEnvironment, TheFirstCallOfAKernelLooksAndAfterARefusalTheNextOne) {
  std::string error;
  {
    const ControlBits flushed(ControlBits::kFlushResults);
    error = error_of([] { kernel_of_this_test(); });
  }
  EXPECT_EQ(error, kFlushed);
  EXPECT_EQ(kernel_of_this_test(), 1);
}

}  // namespace
}  // namespace samebits::kernels
