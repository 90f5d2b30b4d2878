#include "planner/layer_cost.h"

#include <algorithm>

namespace samebits::planner {

std::int64_t weight_bytes(const LayerShape& layer, int bits, std::int64_t group_size,
                          const HardwareProfile& hardware) {
  const std::int64_t stored = hardware.stored_bits(bits);
  const std::int64_t codes = (layer.weights() * stored + 7) / 8;
  if (bits >= 16) return codes;
  const std::int64_t groups = group_size > 0 ? (layer.row_length + group_size - 1) / group_size : 1;
  return codes + layer.out * groups * static_cast<std::int64_t>(sizeof(float));
}

double roofline_ms(const LayerShape& layer, int bits, std::int64_t group_size,
                   const HardwareProfile& hardware) {
  const int x_bits = activation_bits(bits);
  const double ops = 2.0 * static_cast<double>(layer.weights()) * static_cast<double>(layer.positions);
  const double values = static_cast<double>(layer.x_elements + layer.y_elements);
  const double bytes =
      static_cast<double>(weight_bytes(layer, bits, group_size, hardware)) + values * x_bits / 8.0;
  const double compute_ms = ops / (hardware.peak(x_bits) * 1e6);
  const double memory_ms = bytes / (hardware.bandwidth_gb_s * 1e6);
  return std::max(compute_ms, memory_ms);
}

}  // namespace samebits::planner
