#include "training/library_errors.h"

#include <c10/util/Exception.h>

#include <new>
#include <system_error>

#include "io/atomic_file.h"
#include "torch_ext/verify.h"
#include "training/errors.h"

namespace samebits::training {

std::string text_of(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  return c10_error != nullptr ? c10_error->what_without_backtrace() : error.what();
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  // LibTorch's CPU allocator has no type for it, only this text.
  return dynamic_cast<const c10::Error*>(&error) != nullptr &&
         text_of(error).find("DefaultCPUAllocator: can't allocate memory") != std::string::npos;
}

void rethrow_refusal(const std::exception& error) {
  const bool has_meaning = dynamic_cast<const UsageError*>(&error) != nullptr ||
                           dynamic_cast<const TrainingError*>(&error) != nullptr ||
                           dynamic_cast<const io::WriteError*>(&error) != nullptr ||
                           dynamic_cast<const MissingDependency*>(&error) != nullptr ||
                           dynamic_cast<const std::system_error*>(&error) != nullptr ||
                           is_out_of_memory(error);
  if (has_meaning) throw;
  throw UsageError(text_of(error));
}

}  // namespace samebits::training
