// Operators that only move elements: tables for kernels/move/indexed_copy.h, made in the scratch of a call.
#pragma once

#include <array>
#include <span>

#include "runtime/evaluator.h"

namespace samebits::runtime {

/// What an operator moves: elements of x into y, which has these sizes, as many as its own.
struct Moving {
  const void* x;
  std::span<const std::int64_t> sizes;
  const void* fill = nullptr;  // an element for what is outside of x
};

/// Elements from one step along a dimension to the next, row-major; at most kMaxRank dimensions.
using Strides = std::array<std::int64_t, graph::kMaxRank>;
Strides strides_of(const graph::Sizes& sizes);

/// Room for one offset an element of each dimension, one dimension after the other.
std::int64_t* offset_tables(const Call& call, std::span<const std::int64_t> sizes);
/// Moves by the tables that are there.
void move_by_tables(const Call& call, const Moving& moving, std::int64_t* offsets);

/// y[i, j, …] = x[place(0, i) + place(1, j) + …], places in elements; below 0: outside of x.
template <class Place>
void move(const Call& call, const Moving& moving, const Place& place) {
  std::int64_t* const offsets = offset_tables(call, moving.sizes);
  std::int64_t* next = offsets;
  for (std::size_t d = 0; d < moving.sizes.size(); ++d)
    for (std::int64_t i = 0; i < moving.sizes[d]; ++i) *next++ = place(d, i);
  move_by_tables(call, moving, offsets);
}

/// Throws "[runtime] NODE: expected an index in …" unless all are in [0, size).
void check_indices(const Call& call, const View& index, std::int64_t size);

}  // namespace samebits::runtime
