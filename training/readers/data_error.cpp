#include "training/readers/data_error.h"

#include "training/errors.h"

namespace samebits::training {

void fail_data(const std::string& where, const std::string& expected, const std::string& got,
               const std::string& hint) {
  throw UsageError("[data] " + where + ": expected " + expected + ", got " + got + "; " + hint);
}

}  // namespace samebits::training
