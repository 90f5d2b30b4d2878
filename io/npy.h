// One npy array as bytes: a member of an npz file (io/npz.h).
#pragma once

#include <string>
#include <string_view>

#include "io/npz.h"

namespace samebits::io {

/// What numpy.save writes. `where` begins messages: "[npz] net.npz: fc.weight".
std::string npy_bytes(const NpyArray& array, const std::string& where);

/// Throws std::runtime_error, "WHERE: expected A, got B".
NpyArray parse_npy(std::string_view bytes, const std::string& where);

}  // namespace samebits::io
