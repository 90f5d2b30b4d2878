// A kernel is one object: called like a function, it runs the best of its implementations that this machine
// can run, chosen once. It has the list, best first, `reference` last, with the reason why an entry cannot
// run here: `samebits doctor` prints the lists, tests run every entry that can run against the oracle.
// Kernels are named like functions; SAMEBITS_KERNEL defines one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace samebits::kernels {

template <class Function>
struct Implementation {
  const char* name;
  Function* run;
  /// Empty when it can run on this machine, else the reason.
  std::string (*why_not)();
};

/// The first entry that can run. The list is not empty and its last entry runs anywhere.
template <class Function>
const Implementation<Function>& first_usable(std::span<const Implementation<Function>> list) {
  for (const auto& entry : list)
    if (entry.why_not().empty()) return entry;
  return list.back();
}

/// An entry of a kernel's list, without its function.
struct ImplementationStatus {
  std::string name;
  bool used = false;
  std::string why_not;  // empty when it could run
};

/// What all kernels have, whatever they compute.
class AnyKernel {
 public:
  const char* name() const { return name_; }
  /// Best first; the first that can run is used. Throws std::invalid_argument when SAMEBITS_ISA has an
  /// unknown value.
  virtual std::vector<ImplementationStatus> statuses() const = 0;

 protected:
  constexpr explicit AnyKernel(const char* name) : name_(name) {}
  ~AnyKernel() = default;

 private:
  const char* name_;
};

template <class Function>
class Kernel;

template <class Result, class... Args>
class Kernel<Result(Args...)> final : public AnyKernel {
 public:
  using Function = Result(Args...);
  using Entry = Implementation<Function>;

  /// Constant-initialized, so that a kernel can be called while other objects are being initialized.
  template <std::size_t kSize>
  constexpr Kernel(const char* name, const Entry (&list)[kSize]) : AnyKernel(name), size_(kSize) {
    static_assert(kSize <= kCapacity);
    std::copy_n(list, kSize, entries_.begin());
  }

  /// Throws std::invalid_argument when SAMEBITS_ISA has an unknown value; else what the function throws.
  Result operator()(Args... args) const {
    Function* run = chosen_.load(std::memory_order_relaxed);
    if (run == nullptr) [[unlikely]]
      run = choose();
    return run(std::forward<Args>(args)...);
  }

  std::span<const Entry> implementations() const { return {entries_.data(), size_}; }
  const Entry& reference() const { return entries_[size_ - 1]; }

  std::vector<ImplementationStatus> statuses() const override {
    std::vector<ImplementationStatus> result;
    bool is_chosen = false;
    for (const auto& entry : implementations()) {
      result.push_back({entry.name, false, entry.why_not()});
      result.back().used = !is_chosen && result.back().why_not.empty();
      is_chosen = is_chosen || result.back().used;
    }
    return result;
  }

 private:
  [[gnu::noinline, gnu::cold]] Function* choose() const {
    Function* run = first_usable(implementations()).run;
    chosen_.store(run, std::memory_order_relaxed);  // threads that come here together store the same
    return run;
  }

  static constexpr std::size_t kCapacity = 6;
  mutable std::atomic<Function*> chosen_ = nullptr;
  std::size_t size_;
  std::array<Entry, kCapacity> entries_{};
};

/// Every kernel that is linked into this process, by name.
std::vector<const AnyKernel*> all_kernels();

/// Enters a kernel into that list.
struct KernelRegistration {
  explicit KernelRegistration(const AnyKernel& kernel);
};

/// Defines the kernel that a header declares as `extern const Kernel<…> object`: its name in reports, and its
/// list, an array of entries or {{…}, {…}}.
#define SAMEBITS_KERNEL(object, name, ...)              \
  constinit decltype(object) object(name, __VA_ARGS__); \
  static const KernelRegistration object##_registration(object)

}  // namespace samebits::kernels
