#include "csrc/layers/workspace.h"

#include <array>
#include <cstddef>

namespace samebits::ops {
namespace {

constexpr std::size_t kPurposes = static_cast<std::size_t>(Workspace::kPackedTransposed) + 1;

std::array<at::Tensor, kPurposes>& buffers() {
  thread_local std::array<at::Tensor, kPurposes> list;  // bytes; grow to the largest use
  return list;
}

}  // namespace

at::Tensor workspace(Workspace purpose, at::IntArrayRef sizes, at::ScalarType dtype) {
  at::Tensor& buffer = buffers()[static_cast<std::size_t>(purpose)];
  const int64_t bytes = c10::multiply_integers(sizes) * static_cast<int64_t>(c10::elementSize(dtype));
  if (!buffer.defined() || buffer.numel() < bytes) {
    buffer = at::Tensor();  // first give back, then ask
    buffer = at::empty({bytes}, at::kByte);
  }
  return at::from_blob(buffer.mutable_data_ptr(), sizes, at::TensorOptions().dtype(dtype));
}

int64_t workspace_bytes() {
  int64_t bytes = 0;
  for (const at::Tensor& buffer : buffers())
    if (buffer.defined()) bytes += buffer.numel();
  return bytes;
}

void release_workspaces() {
  for (at::Tensor& buffer : buffers()) buffer = at::Tensor();
}

}  // namespace samebits::ops
