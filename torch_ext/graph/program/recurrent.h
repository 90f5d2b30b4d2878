// LSTMs and GRUs of a program as layers on integers: for each of their layers and directions a QATLinear of
// the input, over all steps at once, and a QATRecurrent of the state.
#pragma once

#include <vector>

#include "torch_ext/graph/program/layers.h"

namespace samebits {

/// Rewrites every aten::lstm and aten::gru on whole sequences. The layers stand beside the parameters:
/// "rnn.ih_l0" and "rnn.hh_l0" of "rnn.weight_ih_l0" and "rnn.weight_hh_l0". Appends to `refused` what cannot
/// be rewritten.
Program with_recurrent_layers(const Program& program, std::vector<RefusedLayer>& refused);

}  // namespace samebits
