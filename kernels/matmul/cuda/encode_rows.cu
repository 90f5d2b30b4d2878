#include "kernels/matmul/cuda/encode_rows.h"

#include "kernels/matmul/cuda/encode_rows.cuh"

namespace samebits::kernels::cuda {
namespace {

template <int kRowThreads, int kOctets, class Out>
const char* launch_rows(const WeightRows& weight, const Out& out, CUstream_st* stream) {
  return launch(encode_rows<kRowThreads, kOctets, Out>,
                blocks_for(weight.rows, RowTeam<kRowThreads>::kRowsPerBlock), stream, weight, out);
}

/// The team that a row's length asks for.
template <class Out>
const char* launch_for_length(const WeightRows& weight, const Out& out, CUstream_st* stream) {
  if (weight.row_length <= 512) return launch_rows<32, 2>(weight, out, stream);
  if (weight.row_length <= 2048) return launch_rows<32, 8>(weight, out, stream);
  if (weight.row_length <= 8192) return launch_rows<kThreads, 4>(weight, out, stream);
  return launch_rows<kThreads, 8>(weight, out, stream);
}

}  // namespace

const char* launch_encode_rows(const WeightRows& weight, const ForwardRows& out, CUstream_st* stream) {
  if (weight.rows == 0) return nullptr;
  if (out.padded_rows > weight.rows) {
    const char* const error =
        launch(clear_rows, blocks_for_octets((out.padded_rows - weight.rows) * out.stride), stream,
               weight.rows, out);
    if (error != nullptr) return error;
  }
  return launch_for_length(weight, out, stream);
}

const char* launch_encode_rows(const WeightRows& weight, const BackwardRows& out, CUstream_st* stream) {
  return weight.rows == 0 ? nullptr : launch_for_length(weight, out, stream);
}

}  // namespace samebits::kernels::cuda
