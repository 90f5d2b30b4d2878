#include "kernels/common/float_environment.h"

#include <stdexcept>

namespace samebits::kernels {

void check_float_environment() {
  // Volatile: computed here and now.
  volatile float smallest_normal = 0x1p-126f, denormal = 0x1p-140f, half = 0.5f, one = 1.0f,
                 above = 0x1.8p-24f;
  const float result = smallest_normal * half, read = denormal + denormal;
  if (result == 0.0f || read == 0.0f)
    throw std::runtime_error(
        "[kernels] denormals: expected them to be kept, got a thread that flushes them to zero; call "
        "torch::set_flush_denormal(false), and link nothing with -ffast-math");
  const float up = one + above, down = one - above;
  if (up != 0x1.000002p+0f || down != 0x1.fffffcp-1f)
    throw std::runtime_error(
        "[kernels] rounding: expected to the nearest float, got another mode; call fesetround(FE_TONEAREST)");
}

}  // namespace samebits::kernels
