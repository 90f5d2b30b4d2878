#include "graph/types.h"

#include <charconv>
#include <map>
#include <optional>

namespace samebits::graph {

const char* to_text(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return "float32";
    case Dtype::kInt64:
      return "int64";
    case Dtype::kBool:
      return "bool";
  }
  return "unknown";
}

const char* to_text(Symbol symbol) {
  return symbol == Symbol::kBatch ? "batch" : "sequence";
}

std::size_t Dimension::plain_symbol() const {
  for (std::size_t i = 0; i < kSymbols; ++i)
    if (*this == Dimension(static_cast<Symbol>(i))) return i;
  return kSymbols;
}

std::int64_t Dimension::at(const SymbolValues& values) const {
  std::int64_t size = offset;
  for (std::size_t i = 0; i < kSymbols; ++i) size += factors[i] * values[i];
  return size;
}

Dimension operator+(Dimension a, const Dimension& b) {
  a.offset += b.offset;
  for (std::size_t i = 0; i < kSymbols; ++i) a.factors[i] += b.factors[i];
  return a;
}

Dimension operator*(Dimension a, std::int64_t factor) {
  a.offset *= factor;
  for (std::int64_t& each : a.factors) each *= factor;
  return a;
}

Sizes sizes_at(const Shape& shape, const SymbolValues& values) {
  Sizes sizes;
  sizes.reserve(shape.size());
  for (const Dimension& dimension : shape) sizes.push_back(dimension.at(values));
  return sizes;
}

const void* ConstantTensor::data() const {
  switch (dtype) {
    case Dtype::kFloat32:
      return floats.data();
    case Dtype::kInt64:
      return integers.data();
    case Dtype::kBool:
      return flags.data();
  }
  return nullptr;
}

std::size_t ConstantTensor::count() const {
  return dtype == Dtype::kFloat32 ? floats.size() : dtype == Dtype::kInt64 ? integers.size() : flags.size();
}

namespace {

/// A polynomial in the symbols: factors by the powers of each.
using Powers = std::array<std::size_t, kSymbols>;
using Polynomial = std::map<Powers, std::int64_t>;

/// Adds value · factor at these powers. False when it overflows.
bool add_product(Polynomial& sum, const Powers& powers, std::int64_t value, std::int64_t factor) {
  std::int64_t product = 0;
  if (factor == 0) return true;
  return !__builtin_mul_overflow(value, factor, &product) &&
         !__builtin_add_overflow(sum[powers], product, &sum[powers]);
}

/// The product of the sizes; none when a factor overflows.
std::optional<Polynomial> elements_of(const Shape& shape) {
  Polynomial product = {{Powers{}, 1}};
  for (const Dimension& size : shape) {
    Polynomial next;
    for (const auto& [powers, value] : product) {
      if (!add_product(next, powers, value, size.offset)) return std::nullopt;
      for (std::size_t i = 0; i < kSymbols; ++i) {
        Powers more = powers;
        ++more[i];
        if (!add_product(next, more, value, size.factors[i])) return std::nullopt;
      }
    }
    std::erase_if(next, [](const auto& term) { return term.second == 0; });
    product = std::move(next);
  }
  return product;
}

}  // namespace

bool have_as_many_elements(const Shape& a, const Shape& b) {
  const std::optional<Polynomial> of_a = elements_of(a), of_b = elements_of(b);
  return of_a.has_value() && of_a == of_b;
}

std::string to_text(const Dimension& dimension) {
  std::string text;
  const auto add = [&](std::int64_t value, const std::string& term) {
    text += text.empty() ? (value < 0 ? "-" : "") : (value < 0 ? " - " : " + ");
    text += term;
  };
  for (std::size_t i = 0; i < kSymbols; ++i) {
    const std::int64_t factor = dimension.factors[i], magnitude = factor < 0 ? -factor : factor;
    if (factor == 0) continue;
    const std::string name = to_text(static_cast<Symbol>(i));
    add(factor, magnitude == 1 ? name : std::to_string(magnitude) + "*" + name);
  }
  const std::int64_t offset = dimension.offset;
  if (offset != 0 || text.empty()) add(offset, std::to_string(offset < 0 ? -offset : offset));
  return text;
}

std::string to_text(const Shape& shape) {
  std::string text = "[";
  for (const Dimension& dimension : shape) text += (text.size() > 1 ? ", " : "") + to_text(dimension);
  return text + "]";
}

namespace {

/// Takes a number below 2^31 off the front of `text`.
bool take_number(std::string_view& text, std::int64_t& value) {
  std::int32_t number = 0;
  if (text.empty() || text[0] == '-') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  value = number;
  return true;
}

/// Takes "3", "batch" or "2*batch", times `sign`.
bool take_term(std::string_view& text, std::int64_t sign, Dimension& dimension) {
  std::int64_t value = 1;
  const bool has_number = take_number(text, value);
  if (has_number && !text.starts_with('*')) {
    dimension.offset += sign * value;
    return true;
  }
  if (has_number) text.remove_prefix(1);
  for (std::size_t i = 0; i < kSymbols; ++i) {
    const std::string_view name = to_text(static_cast<Symbol>(i));
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    dimension.factors[i] += sign * value;
    return true;
  }
  return false;
}

}  // namespace

bool parse(std::string_view text, Dimension& dimension) {
  Dimension parsed;
  std::string_view rest = text;
  std::int64_t sign = 1;
  if (rest.starts_with('-')) {
    sign = -1;
    rest.remove_prefix(1);
  }
  while (take_term(rest, sign, parsed)) {
    if (rest.empty()) {
      dimension = parsed;
      return to_text(parsed) == text;  // one way to write each
    }
    if (!rest.starts_with(" + ") && !rest.starts_with(" - ")) return false;
    sign = rest[1] == '+' ? 1 : -1;
    rest.remove_prefix(3);
  }
  return false;
}

}  // namespace samebits::graph
