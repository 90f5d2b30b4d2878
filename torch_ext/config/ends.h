// The exception of QConfig::layers that is no path: it stands for the first and the last layer that the
// examples of prepare() reach.
#pragma once

namespace samebits {

inline constexpr char kEnds[] = "@ends";

}  // namespace samebits
