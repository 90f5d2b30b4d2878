// The shapes of AMX's eight tile registers while a product of bytes runs.
#pragma once

#include <cstdint>

namespace samebits::kernels {

/// Tiles 0 to 3 hold `rows` x 16 sums, 4 and 5 parts of a (`rows` rows of `quads` quads), 6 and 7 parts of b
/// (`quads` rows of 16 quads); rows and quads are at most 16. Released at the end of the scope.
class TileConfig {
 public:
  TileConfig(int rows, int quads) {
    for (int tile = 0; tile < 8; ++tile) {
      const bool is_b = tile >= 6, is_a = tile == 4 || tile == 5;
      layout_.rows[tile] = static_cast<std::uint8_t>(is_b ? quads : rows);
      layout_.row_bytes[tile] = static_cast<std::uint16_t>(is_a ? 4 * quads : 64);
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(layout_));
  }
  ~TileConfig() { __asm__ volatile("tilerelease"); }
  TileConfig(const TileConfig&) = delete;
  TileConfig& operator=(const TileConfig&) = delete;

 private:
  struct alignas(64) Layout {  // Intel SDM, LDTILECFG
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  };
  Layout layout_;
};

}  // namespace samebits::kernels
