#pragma once
#include "kernels/codebook.h"

namespace samebits::kernels::reference {
bool codebook_run(const CodebookArgs& args, const Codebook& codebook, float scale, std::int64_t begin,
                  std::int64_t end);
}
