// A look into a forward pass without hooks in the modules: while a LayerWatch lives, every QAT layer that
// computes on this thread reports its input and output to it. For finding a NaN, for SQNR, for the first
// differing layer.
#pragma once

#include <torch/types.h>

#include <functional>

namespace samebits {

class QATLayer;

class LayerWatch {
 public:
  using Callback = std::function<void(const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y)>;

  /// Watches this thread until destroyed; an earlier watch is shadowed meanwhile.
  explicit LayerWatch(Callback callback);
  ~LayerWatch();
  LayerWatch(const LayerWatch&) = delete;
  LayerWatch& operator=(const LayerWatch&) = delete;

  /// Whether someone watches this thread.
  static bool is_watching();
  /// Called by layers; does nothing when no one watches.
  static void report(const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y);

 private:
  Callback callback_;
  LayerWatch* earlier_;
};

}  // namespace samebits
