#pragma once
#include "kernels/conv/pack_patches.h"

namespace samebits::kernels::reference {
void pack_patches(const PackPatchesArgs& args, std::int64_t n);
}
