// How the runtime computes an operator: runtime/ops/<theme>/<name>.cpp has one for each of
// graph/operators.inc, over kernels/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "graph/operator.h"
#include "kernels/common/aligned_vector.h"
#include "runtime/thread_pool.h"

namespace samebits::runtime {

/// A value during a run: of its dtype, or int8 codes on the input grid of the layer that reads them.
struct View {
  graph::Sizes sizes;
  void* data = nullptr;
  const graph::Node* reader = nullptr;  // not null: codes
  graph::Dtype dtype = graph::Dtype::kFloat32;

  bool is_codes() const { return reader != nullptr; }
  const float* floats() const { return static_cast<const float*>(data); }
  float* floats() { return static_cast<float*>(data); }
  const std::int64_t* integers() const { return static_cast<const std::int64_t*>(data); }
  std::int64_t* integers() { return static_cast<std::int64_t*>(data); }
  const std::uint8_t* flags() const { return static_cast<const std::uint8_t*>(data); }
  std::uint8_t* flags() { return static_cast<std::uint8_t*>(data); }
  const std::int8_t* codes() const { return static_cast<const std::int8_t*>(data); }
  std::int8_t* codes() { return static_cast<std::int8_t*>(data); }
  const kernels::AffineGrid& grid() const { return graph::input_grid(*reader); }
  std::int64_t count() const {
    std::int64_t product = 1;
    for (const std::int64_t size : sizes) product *= size;
    return product;
  }
  std::int64_t element_bytes() const { return is_codes() ? 1 : graph::element_bytes(dtype); }
};

/// Memory that grows to the most that was asked for.
class Memory {
 public:
  void* at_least(std::int64_t bytes) {
    if (static_cast<std::int64_t>(bytes_.size()) < bytes) {
      bytes_.clear();  // so that nothing is copied
      bytes_.resize(static_cast<std::size_t>(bytes));
    }
    return bytes_.data();
  }
  std::int64_t bytes() const { return static_cast<std::int64_t>(bytes_.size()); }

 private:
  kernels::AlignedVector<std::byte> bytes_;
};

/// One node of one run.
struct Call {
  const graph::Node& node;
  const void* packed;                   // what pack() made of the node
  std::span<const View* const> inputs;  // codes only for operators that keep order, and for layers
  std::span<View* const> outputs;       // codes where the input is, and of layers
  bool relu;                            // layers: end in a relu
  const graph::SymbolValues& symbols;   // of this run
  ThreadPool& threads;
  Memory& scratch;  // for the length of the call

  const View& x() const { return *inputs[0]; }
  View& y() const { return *outputs[0]; }
};

/// Whether y may lie where the first input lies.
enum class Sharing {
  kNone,
  kInPlace,  // where nobody reads x afterwards: an element of y depends on the same element of x alone
  kView,     // always: y is x with other sizes, and run() has nothing to do
};

struct Evaluator {
  void (*run)(const Call& call);  // null where there is nothing to do
  /// What run() needs of the node, made once; it may point into the node. Null: nothing.
  std::shared_ptr<const void> (*pack)(const graph::Node& node) = nullptr;
  Sharing sharing = Sharing::kNone;
  /// An operator whose output the node holds: where. It has no run(). Null: it computes.
  const void* (*held)(const graph::Node& node) = nullptr;
};

const Evaluator& evaluator_of(const graph::Operator& op);

/// Below this many elements or float products a block costs less than waking a thread for it.
constexpr std::int64_t kGrain = 1 << 15;
/// The same for products of codes, of which a thread makes tens of thousands in a microsecond.
constexpr std::int64_t kProductGrain = 1 << 20;

/// Items of `work` each that a block should hold, of blocks of at least `least`.
inline std::int64_t grain_of(std::int64_t work, std::int64_t least = kGrain) {
  return std::max<std::int64_t>(1, least / std::max<std::int64_t>(1, work));
}

/// Throws "[runtime] NODE: input holds NaN; …".
[[noreturn]] void fail_nan(const graph::Node& node);

/// The codes of a layer's input on `grid`: as they are, or quantized into the call's scratch. Throws
/// fail_nan().
const std::int8_t* input_codes(const Call& call, const kernels::AffineGrid& grid);

}  // namespace samebits::runtime
