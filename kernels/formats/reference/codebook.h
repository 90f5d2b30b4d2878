#pragma once
#include "kernels/formats/codebook.h"

namespace samebits::kernels::reference {
bool fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                            std::int64_t begin, std::int64_t end);
/// One run: all elements have this scale.
bool fake_quantize_codebook_run(const CodebookArgs& args, const Codebook& codebook, float scale,
                                std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
