#include "kernels/move/gather.h"

namespace samebits::kernels {
namespace {

template <class T>
void gather_elements(const Gather& args, std::int64_t begin, std::int64_t end) {
  const auto* x = static_cast<const T*>(args.x);
  auto* y = static_cast<T*>(args.y);
  for (std::int64_t i = begin; i < end; ++i) {
    std::int64_t rest = i, stride = 1, place = 0;
    for (std::int64_t d = args.rank - 1; d >= 0; --d) {
      const std::int64_t here = rest % args.y_sizes[d];
      rest /= args.y_sizes[d];
      place += (d == args.axis ? args.index[i] : here) * stride;
      stride *= args.x_sizes[d];
    }
    y[i] = x[place];
  }
}

}  // namespace

std::int64_t first_outside(const std::int64_t* index, std::int64_t size, std::int64_t begin,
                           std::int64_t end) {
  while (begin < end && index[begin] >= 0 && index[begin] < size) ++begin;
  return begin;
}

void gather(const Gather& args, std::int64_t begin, std::int64_t end) {
  if (args.element_bytes == 1) return gather_elements<std::uint8_t>(args, begin, end);
  if (args.element_bytes == 4) return gather_elements<std::uint32_t>(args, begin, end);
  gather_elements<std::uint64_t>(args, begin, end);
}

}  // namespace samebits::kernels
