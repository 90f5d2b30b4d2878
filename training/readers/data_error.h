// How everything under data/ complains.
#pragma once

#include <string>

namespace samebits::training {

/// Throws UsageError "[data] WHERE: expected …, got …; hint". `where` is a path, and the row or byte in it:
/// "wine.csv:17".
[[noreturn]] void fail_data(const std::string& where, const std::string& expected, const std::string& got,
                            const std::string& hint);

}  // namespace samebits::training
