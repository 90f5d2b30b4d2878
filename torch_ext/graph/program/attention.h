// Attention of a program in pieces: scaled_dot_product_attention as the products and the softmax that ship.
#pragma once

#include "torch_ext/graph/program/program.h"

namespace samebits {

/// softmax(q · scale · kᵀ + mask) · v, with dropout where the operator has it, in place of each
/// aten::scaled_dot_product_attention but those with heads in groups or with a mask that the model computes.
void use_plain_attention(Program& program);

}  // namespace samebits
