#include "graph/types.h"

#include <charconv>

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

Sizes sizes_at(const Shape& shape, const SymbolValues& values) {
  Sizes sizes;
  sizes.reserve(shape.size());
  for (const Dimension& dimension : shape) sizes.push_back(dimension.at(values));
  return sizes;
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
