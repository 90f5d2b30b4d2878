// What a layer costs at b bits: bytes as they are stored, and a roofline's time on a machine.
#pragma once

#include <cstdint>
#include <string>

#include "planner/hardware_profile.h"

namespace samebits::planner {

/// A layer as costs see it: y = x · weightᵀ, `positions` rows of x for one example.
struct LayerShape {
  std::string path;
  std::int64_t out = 0;         // channels: rows of the weight
  std::int64_t row_length = 0;  // weights of a channel
  std::int64_t positions = 1;   // products of a channel for one example: 1, or pixels of a conv2d's output
  std::int64_t x_elements = 0, y_elements = 0;  // of one example

  std::int64_t weights() const { return out * row_length; }
};

/// Bits of an activation that meets a weight of `weight_bits`: 8 beside integer weights, else as many.
constexpr int activation_bits(int weight_bits) {
  return weight_bits <= 8 ? 8 : weight_bits;
}

/// Bytes of the weight where it is stored as `hardware` does (stored_bits), rounded up a layer; below 16
/// bits with a float32 scale a channel, or a group of `group_size` elements (0: no groups).
std::int64_t weight_bytes(const LayerShape& layer, int bits, std::int64_t group_size,
                          const HardwareProfile& hardware);

/// The roofline's time for one example in ms: the longer of two, the products at the peak for the
/// activation's bits, and weight, x and y once through memory. Throws std::invalid_argument when the
/// profile has no such peak.
double roofline_ms(const LayerShape& layer, int bits, std::int64_t group_size,
                   const HardwareProfile& hardware);

}  // namespace samebits::planner
