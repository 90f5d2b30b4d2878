#include "kernels/common/kernel.h"

#include <map>
#include <mutex>
#include <string_view>

namespace samebits::kernels {
namespace {

struct Registry {
  std::mutex mutex;  // a library may be loaded while another thread asks
  std::map<std::string_view, const AnyKernel*> kernels;
};

Registry& registry() {
  static auto* const all = new Registry;  // outlives the objects that it lists
  return *all;
}

}  // namespace

std::vector<const AnyKernel*> all_kernels() {
  const std::lock_guard lock(registry().mutex);
  std::vector<const AnyKernel*> list;
  for (const auto& [name, kernel] : registry().kernels) list.push_back(kernel);
  return list;
}

// A program and a library that both have the archive register one kernel twice: the first one stays.
KernelRegistration::KernelRegistration(const AnyKernel& kernel) {
  const std::lock_guard lock(registry().mutex);
  registry().kernels.emplace(kernel.name(), &kernel);
}

}  // namespace samebits::kernels
