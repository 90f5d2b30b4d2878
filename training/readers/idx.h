// Reads the IDX files of MNIST and its relatives, gzipped or plain, and refuses whatever is not exactly one.
// Format: big-endian magic 0x0000TTDD (TT = 8: unsigned bytes, DD dimensions), DD sizes, the payload.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "training/readers/arrays.h"

namespace samebits::training {

/// Grey images of one size, row-major, 0 = background.
struct IdxImages {
  std::int64_t count = 0, rows = 0, columns = 0;  // each at least 1
  std::vector<std::uint8_t> pixels;               // count * rows * columns
};

/// Reads a file of 3-dimensional unsigned bytes. Memory grows with what the file holds, not with what its
/// header claims. Throws UsageError "[data] PATH: expected …, got …; hint" on a missing or unreadable
/// file, a wrong magic, sizes of 0 or of more than 2^32 pixels, a payload that is too short or too long, and
/// a corrupt gzip stream, its checksum included.
IdxImages read_idx_images(const std::filesystem::path& path);

/// Reads a file of 1-dimensional unsigned bytes, one label an element. Throws as read_idx_images does.
std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path);

/// Reads PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte (.gz or plain) from `folder`, as images [1,
/// rows, columns]. Throws UsageError "[data] …" on missing or damaged files, different counts, labels that
/// are no class.
Arrays read_idx_folder(const std::filesystem::path& folder, const std::string& prefix, std::int64_t classes);

}  // namespace samebits::training
