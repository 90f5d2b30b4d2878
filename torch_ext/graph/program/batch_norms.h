// Batch norms of a program that become part of the layers in front of them.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "torch_ext/graph/program/program.h"

namespace samebits {

/// A layer, and the path of the batch norm that it has joined.
struct JoinedNode {
  std::shared_ptr<QATLayer> layer;
  std::string path;
};

/// Joins each batch norm with running statistics that alone reads what a layer gives, and removes its node.
/// Only `candidates` may join: layers whose output has its channels in the second dimension. A layer that is
/// called twice, or on a weight that each forward makes, joins none. The program goes on counting batches by
/// itself.
std::vector<JoinedNode> join_batch_norms(Program& program, const std::set<const QATLayer*>& candidates);

}  // namespace samebits
