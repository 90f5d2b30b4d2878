// NumPy's array files, versions 1 to 3 of the format (numpy.lib.format), as far as data sets need them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace samebits::training {

struct NpyArray {
  std::string dtype;                // "|u1", "|i1", "|b1", "<i2", "<i4", "<i8", "<f4" or "<f8"
  std::vector<std::int64_t> shape;  // at least one dimension, each at least 1
  std::vector<std::uint8_t> bytes;  // row-major, little-endian

  bool is_real() const { return dtype[1] == 'f'; }
};

/// Reads a file, gzipped or plain. Throws UsageError "[data] PATH: expected …" on another magic or version, a
/// dtype that is none of these, column-major order, an empty array, more than 2^32 elements, and a payload
/// that is too short or too long.
NpyArray read_npy(const std::filesystem::path& path);

/// The elements as float32, rounded to nearest. Throws, naming the element, on a NaN or an infinity.
std::vector<float> npy_reals(const NpyArray& array, const std::filesystem::path& path);
/// The elements of an array of whole numbers.
std::vector<std::int64_t> npy_integers(const NpyArray& array);

}  // namespace samebits::training
