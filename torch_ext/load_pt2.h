// A model from Python: an archive of torch.export.save as a graph that trains.
#pragma once

#include <filesystem>

#include "torch_ext/graph_module.h"

namespace samebits {

/// Reads an archive of `torch.export.save(torch.export.export(model.train(), …, dynamic_shapes=…), path)`, of
/// torch 2.9 and later, without Python and without TorchScript. Parameters and buffers have Python's names;
/// what is tied there is one tensor, registered under its first name. Inputs and results are flat, in
/// Python's order. The first free size is the batch, the second the sequence. save_state() writes weights
/// that Python's load_state_dict takes.
///
/// Throws std::runtime_error that names the file and what is not supported: an archive of another schema,
/// inference IR, control flow (cond, while_loop, scan), an operator that this process does not have, complex
/// literals, pickled tensor subclasses, an unknown dtype.
GraphModule load_pt2(const std::filesystem::path& path);

}  // namespace samebits
