// Memory that backward reuses from call to call: its operands are as large as a layer and live for one
// product only, and fresh pages for them would cost more than filling them.
#pragma once

#include <ATen/ATen.h>

namespace samebits::ops {

/// What a workspace is for; two tensors in use at once need two purposes.
enum class Workspace { kWeight, kInput, kGradient, kMask, kSums, kPackedA, kPackedB, kPackedTransposed };

/// A CPU tensor of that shape whose memory belongs to the calling thread and the purpose. Valid until the
/// same thread asks for the same purpose again; contents are not initialized.
at::Tensor workspace(Workspace purpose, at::IntArrayRef sizes, at::ScalarType dtype = at::kFloat);

/// Bytes that the calling thread's workspaces hold.
int64_t workspace_bytes();
/// Gives them back.
void release_workspaces();

}  // namespace samebits::ops
