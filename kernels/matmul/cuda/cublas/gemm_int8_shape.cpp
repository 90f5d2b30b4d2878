#include "kernels/matmul/cuda/cublas/gemm_int8_shape.h"

#include <utility>

namespace samebits::kernels::cuda {
namespace {

bool are_multiples(const GemmInt8Operands& o, std::int64_t unit) {
  for (const void* p :
       {static_cast<const void*>(o.a), static_cast<const void*>(o.b), static_cast<const void*>(o.sums)})
    if (reinterpret_cast<std::uintptr_t>(p) % static_cast<std::uintptr_t>(unit) != 0) return false;
  return true;
}

}  // namespace

std::string why_not_gemm_int8(const GemmInt8Operands& o) {
  const std::pair<const char*, std::int64_t> multiples[] = {{"n", o.n},
                                                            {"k", o.k},
                                                            {"a_stride", o.a_stride},
                                                            {"b_stride", o.b_stride},
                                                            {"sums_stride", o.sums_stride}};
  for (const auto& [name, value] : multiples)
    if (value % kGemmInt8Unit != 0 || value == 0)
      return std::string(name) + ": expected a positive multiple of 4, got " + std::to_string(value) +
             "; pad with zeros to " + std::to_string(padded_gemm_int8(value));
  const std::pair<const char*, std::pair<std::int64_t, std::int64_t>> strides[] = {
      {"a_stride", {o.a_stride, o.k}},
      {"b_stride", {o.b_stride, o.k}},
      {"sums_stride", {o.sums_stride, o.n}}};
  for (const auto& [name, sizes] : strides)
    if (sizes.first < sizes.second)
      return std::string(name) + ": expected >= " + std::to_string(sizes.second) +
             ", the length of a row, got " + std::to_string(sizes.first);
  if (!are_multiples(o, kGemmInt8Unit))
    return "a, b, sums: expected addresses aligned to 4 bytes; copy the view that is not";
  return {};
}

GemmInt8Layouts gemm_int8_layouts(const GemmInt8Operands& o) {
  return {
      .first = {o.k, o.n, o.b_stride}, .second = {o.k, o.m, o.a_stride}, .result = {o.n, o.m, o.sums_stride}};
}

GemmInt8Shape gemm_int8_shape(const GemmInt8Operands& o) {
  const std::int64_t unit = are_multiples(o, kGemmInt8FastUnit) ? kGemmInt8FastUnit : kGemmInt8Unit;
  return {o.m, o.n, o.k, o.a_stride, o.b_stride, o.sums_stride, static_cast<std::uint32_t>(unit)};
}

std::size_t GemmInt8ShapeHash::operator()(const GemmInt8Shape& s) const {
  std::size_t hash = s.alignment;
  for (const std::int64_t value : {s.m, s.n, s.k, s.a_stride, s.b_stride, s.sums_stride})
    hash = (hash ^ static_cast<std::size_t>(value)) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}

}  // namespace samebits::kernels::cuda
