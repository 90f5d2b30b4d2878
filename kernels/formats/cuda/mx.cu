#include "kernels/formats/cuda/mx.h"

#include "kernels/formats/cuda/mx.cuh"

namespace samebits::kernels::cuda {

const char* launch_fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows,
                                    std::int64_t row_count, int* saw_nan, CUstream_st* stream) {
  const std::int64_t blocks = row_count * rows.blocks_per_row();
  if (blocks == 0) return nullptr;
  const std::int64_t step = args.clip_mask == nullptr ? 1 : rows.block_step();
  return with_float_type(args.type, [&]<class Stored>(Stored) {
    return launch(fake_quantize_mx<Stored>, blocks_for(blocks, step * kThreads / 32), stream, args, format,
                  rows, step, blocks, saw_nan);
  });
}

const char* launch_decode_mx_blocks(const std::uint8_t* codes, const std::uint8_t* scales, float* y,
                                    const MxFormat& format, const MxRows& rows, std::int64_t row_count,
                                    CUstream_st* stream) {
  const std::int64_t blocks = row_count * rows.blocks_per_row();
  if (blocks == 0) return nullptr;
  return launch(decode_mx_blocks, blocks_for(blocks, kThreads / 32), stream, codes, scales, y, format, rows,
                blocks);
}

}  // namespace samebits::kernels::cuda
