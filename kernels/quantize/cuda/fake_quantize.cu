#include "kernels/quantize/cuda/fake_quantize.h"

#include "kernels/quantize/cuda/fake_quantize.cuh"

namespace samebits::kernels::cuda {

const char* launch_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                 int* saw_nan, CUstream_st* stream, const std::uint8_t* only_if) {
  if (n == 0) return nullptr;
  return with_types_and_grids(args.type, table, n,
                              [&]<class Stored, class Grids>(Stored, const Grids& grids) {
                                return launch(fake_quantize<Stored, Grids>, blocks_for_quads(n), stream, args,
                                              grids, n, saw_nan, only_if);
                              });
}

const char* launch_fake_quantize_backward(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x,
                                          std::int64_t n, FloatType type, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_float_type(type, [&]<class Stored>(Stored) {
    return launch(fake_quantize_backward<Stored>, blocks_for_quads(n), stream,
                  static_cast<const Stored*>(grad_y), clip_mask, static_cast<Stored*>(grad_x), n);
  });
}

}  // namespace samebits::kernels::cuda
