// The life of a quantizer: float -> observing -> quantizing -> frozen.
#pragma once

#include <cstdint>

namespace samebits {

enum class QuantizerState : std::int64_t {
  kFloat = 0,       // the layer computes in float32; nothing is recorded
  kObserving = 1,   // float32, and training forwards record the input's range
  kQuantizing = 2,  // integers, and training forwards still move the input's range
  kFrozen = 3,      // integers; the input's grid stays
};

/// "float", "observing", "quantizing" or "frozen".
const char* state_name(QuantizerState state);

}  // namespace samebits
