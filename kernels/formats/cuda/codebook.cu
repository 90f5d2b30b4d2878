#include "kernels/formats/cuda/codebook.h"

#include "kernels/formats/cuda/codebook.cuh"

namespace samebits::kernels::cuda {

const char* launch_fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, GridTable table,
                                          std::int64_t n, int* saw_nan, CUstream_st* stream) {
  if (n == 0) return nullptr;
  table.zero_point = nullptr;  // scales alone
  return with_types_and_grids(args.type, table, n,
                              [&]<class Stored, class Grids>(Stored, const Grids& grids) {
                                return launch(fake_quantize_codebook<Stored, Grids>, blocks_for_quads(n),
                                              stream, args, codebook, grids, n, saw_nan);
                              });
}

}  // namespace samebits::kernels::cuda
