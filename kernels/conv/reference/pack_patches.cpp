// The contract of kernels/conv/pack_patches.h as plain loops.
#include "kernels/conv/reference/pack_patches.h"

namespace samebits::kernels::reference {

void pack_patches(const PackPatchesArgs& args, std::int64_t n) {
  const auto depth = static_cast<std::int64_t>(args.taps.size());
  for (std::int64_t pixel = 0; pixel < padded_pixels(n); ++pixel) {
    std::int8_t* column = args.packed + pixel / 16 * args.block_bytes + pixel % 16 * 4;
    for (std::int64_t k = 0; k < (depth + 3) / 4 * 4; ++k) {
      std::int8_t code = 0;
      if (k < depth) {
        const PatchTap& tap = args.taps[k];
        const bool is_inside = args.inside == nullptr || args.inside[tap.inside + pixel] != 0;
        code = is_inside ? args.x[tap.x + pixel] : args.border;
      }
      column[k / 4 * 64 + k % 4] = code;
    }
  }
}

}  // namespace samebits::kernels::reference
