// One product of int8 fragments on the tensor cores: 16 rows times 8 columns over a depth of 32, which the 32
// lanes of a warp hold together as PTX lays them out for mma.m16n8k32. The same integers by shuffles
// elsewhere.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/matmul/cuda/dot_product.cuh"

namespace samebits::kernels::cuda {

/// Lane 4 g + t holds words t and t + 4 of rows g and g + 8 of a: {g:t, g+8:t, g:t+4, g+8:t+4}; words t and t
/// + 4 of column g of b; and columns 2 t and 2 t + 1 of rows g and g + 8 of the sums. A word is four codes
/// along the depth.
struct FragmentA {
  unsigned word[4];
};
struct FragmentB {
  unsigned word[2];
};
struct FragmentSums {
  std::int32_t sum[4] = {};  // [row g: 2 columns][row g + 8: 2 columns]
};

/// sums += a * b by the definition above, without tensor cores.
__device__ inline void multiply_by_shuffles(const FragmentA& a, const FragmentB& b, FragmentSums& sums) {
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  for (int from = 0; from < 4; ++from) {
    unsigned of_a[4], of_b[2][2];
    for (int i = 0; i < 4; ++i) of_a[i] = __shfl_sync(kAllLanes, a.word[i], 4 * g + from);
    for (int column = 0; column < 2; ++column)
      for (int i = 0; i < 2; ++i)
        of_b[column][i] = __shfl_sync(kAllLanes, b.word[i], 4 * (2 * t + column) + from);
    for (int row = 0; row < 2; ++row)
      for (int column = 0; column < 2; ++column) {
        std::int32_t& sum = sums.sum[2 * row + column];
        sum = dot4(of_a[row], of_b[column][0], sum);
        sum = dot4(of_a[row + 2], of_b[column][1], sum);
      }
  }
}

/// sums += a * b. For all lanes of a warp together.
__device__ inline void multiply_fragments(const FragmentA& a, const FragmentB& b, FragmentSums& sums) {
#ifdef __CUDA_ARCH__
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(sums.sum[0]), "+r"(sums.sum[1]), "+r"(sums.sum[2]), "+r"(sums.sum[3])
      : "r"(a.word[0]), "r"(a.word[1]), "r"(a.word[2]), "r"(a.word[3]), "r"(b.word[0]), "r"(b.word[1]));
#else
  multiply_by_shuffles(a, b, sums);
#endif
}

}  // namespace samebits::kernels::cuda
