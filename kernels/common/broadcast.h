// A walk over operands whose shapes broadcast to that of y: runs of elements along which each operand goes on
// or stays where it is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace samebits::kernels {

/// Of kOperands operands. Shapes are aligned at their last dimension; each size is that of y or 1. At most 8
/// dimensions.
template <std::size_t kOperands>
class Broadcast {
 public:
  using Offsets = std::array<std::int64_t, kOperands>;

  Broadcast(std::span<const std::int64_t> y,
            const std::array<std::span<const std::int64_t>, kOperands>& operands) {
    for (std::size_t back = 1; back <= y.size(); ++back) {
      const std::int64_t size = y[y.size() - back];
      if (size == 1) continue;
      unsigned moving = 0;
      for (std::size_t o = 0; o < kOperands; ++o) {
        const bool is_moving = back <= operands[o].size() && operands[o][operands[o].size() - back] != 1;
        moving |= static_cast<unsigned>(is_moving) << o;
      }
      append(size, moving);
    }
    if (groups_ == 0) append(1, 0);
    for (std::size_t o = 0; o < kOperands; ++o) steps_[o] = all_[0].strides[o];
  }

  /// 1: the operand goes on along a run; 0: it stays.
  const Offsets& steps() const { return steps_; }

  /// Calls visit(i, count, offsets) for runs that cover elements [begin, end) of y: `count` from element i
  /// on, where each operand is at its offset.
  template <class Visit>
  void for_each_run(std::int64_t begin, std::int64_t end, const Visit& visit) const {
    const std::int64_t length = all_[0].size;
    for (std::int64_t i = begin; i < end;) {
      const std::int64_t within = i % length, count = std::min(length - within, end - i);
      visit(i, count, offsets_at(i / length, within));
      i += count;
    }
  }

 private:
  /// Dimensions side by side along which the same operands move.
  struct Group {
    std::int64_t size;
    unsigned moving;
    Offsets strides;
  };

  void append(std::int64_t size, unsigned moving) {
    if (groups_ > 0 && all_[groups_ - 1].moving == moving) {
      all_[groups_ - 1].size *= size;
    } else {
      Group& group = all_[groups_++];
      group = {size, moving, {}};
      for (std::size_t o = 0; o < kOperands; ++o) group.strides[o] = moving >> o & 1 ? next_[o] : 0;
    }
    for (std::size_t o = 0; o < kOperands; ++o)
      if (moving >> o & 1) next_[o] *= size;
  }

  Offsets offsets_at(std::int64_t run, std::int64_t within) const {
    Offsets offsets;
    for (std::size_t o = 0; o < kOperands; ++o) offsets[o] = within * steps_[o];
    for (std::size_t g = 1; g < groups_; ++g) {
      const std::int64_t place = run % all_[g].size;
      run /= all_[g].size;
      for (std::size_t o = 0; o < kOperands; ++o) offsets[o] += place * all_[g].strides[o];
    }
    return offsets;
  }

  static constexpr std::size_t kMaxRank = 8;
  static constexpr Offsets kOnes = [] {
    Offsets ones;
    ones.fill(1);
    return ones;
  }();
  std::array<Group, kMaxRank> all_ = {};  // innermost first
  std::size_t groups_ = 0;
  Offsets steps_ = {}, next_ = kOnes;
};

}  // namespace samebits::kernels
