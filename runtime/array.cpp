#include "runtime/array.h"

namespace samebits::runtime {

using graph::Dtype;

std::size_t Array::count() const {
  return dtype == Dtype::kFloat32 ? values.size() : dtype == Dtype::kInt64 ? integers.size() : flags.size();
}

void* Array::data() {
  switch (dtype) {
    case Dtype::kFloat32:
      return values.data();
    case Dtype::kInt64:
      return integers.data();
    case Dtype::kBool:
      return flags.data();
  }
  return nullptr;
}

void Array::resize(std::size_t n) {
  values.resize(dtype == Dtype::kFloat32 ? n : 0);
  integers.resize(dtype == Dtype::kInt64 ? n : 0);
  flags.resize(dtype == Dtype::kBool ? n : 0);
}

}  // namespace samebits::runtime
