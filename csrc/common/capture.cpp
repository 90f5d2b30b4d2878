#include "csrc/common/capture.h"

#include <atomic>

namespace samebits::ops {
namespace {

std::atomic<bool (*)()>& capture_query() {
  static std::atomic<bool (*)()> query = nullptr;
  return query;
}

}  // namespace

bool is_capturing(const at::Tensor& tensor) {
  const auto query = capture_query().load();
  return tensor.is_cuda() && query != nullptr && query();
}

void set_capture_query(bool (*query)()) {
  capture_query() = query;
}

}  // namespace samebits::ops
