#include "torch_ext/modules/layer_watch.h"

#include <utility>

namespace samebits {
namespace {
thread_local LayerWatch* current_watch = nullptr;
}  // namespace

LayerWatch::LayerWatch(Callback callback) : callback_(std::move(callback)), earlier_(current_watch) {
  current_watch = this;
}

LayerWatch::~LayerWatch() {
  current_watch = earlier_;
}

bool LayerWatch::is_watching() {
  return current_watch != nullptr;
}

void LayerWatch::report(const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
  if (current_watch != nullptr) current_watch->callback_(layer, x, y);
}

}  // namespace samebits
