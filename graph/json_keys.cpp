#include "graph/json_keys.h"

#include "graph/graph.h"
#include "io/error.h"

namespace samebits::graph {
namespace {

constexpr std::int64_t kMaxInt = std::numeric_limits<std::int64_t>::max();

std::string shown(const nlohmann::json& value) {
  return io::shortened(value.dump());
}

}  // namespace

JsonKeys::JsonKeys(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object())
    throw GraphError(
        io::join(where_.empty() ? "" : where_ + ": ", "expected an object, got ", shown(object)));
}

void JsonKeys::fail_at(const std::string& key, const std::string& expected, const Json& got) const {
  throw GraphError(io::join(place(key), ": expected ", expected, ", got ", shown(got)));
}

const nlohmann::json& JsonKeys::value(const char* key) {
  const auto found = object_.find(key);
  if (found == object_.end()) throw GraphError(io::join(place(key), ": expected a value, got none"));
  read_.insert(key);
  return *found;
}

const nlohmann::json& JsonKeys::list(const char* key) {
  const Json& found = value(key);
  if (!found.is_array()) fail_at(key, "a list", found);
  return found;
}

std::string JsonKeys::text(const char* key) {
  const Json& found = value(key);
  if (!found.is_string()) fail_at(key, "a text", found);
  return found.get<std::string>();
}

std::vector<std::string> JsonKeys::texts(const char* key) {
  std::vector<std::string> values;
  for (const Json& item : list(key)) {
    if (!item.is_string()) fail_at(key, "a list of texts", item);
    values.push_back(item);
  }
  return values;
}

bool JsonKeys::flag(const char* key) {
  const Json& found = value(key);
  if (!found.is_boolean()) fail_at(key, "true or false", found);
  return found.get<bool>();
}

float JsonKeys::number(const char* key) {
  const Json& found = value(key);
  if (!found.is_number()) fail_at(key, "a number", found);
  // Beyond float's range a cast would be undefined.
  const double limit = std::numeric_limits<float>::max();
  const double number = found.get<double>();
  if (!(number >= -limit && number <= limit)) fail_at(key, "a float32", found);
  return static_cast<float>(number);
}

std::int64_t JsonKeys::integer_of(const Json& found, const char* key, std::int64_t low,
                                  std::int64_t high) const {
  const bool is_too_large = found.is_number_unsigned() && found.get<std::uint64_t>() > std::uint64_t{kMaxInt};
  if (!found.is_number_integer() || is_too_large || found.get<std::int64_t>() < low ||
      found.get<std::int64_t>() > high)
    fail_at(key, io::join("an integer in ", low, "..", high), found);
  return found.get<std::int64_t>();
}

std::int64_t JsonKeys::integer(const char* key, std::int64_t low, std::int64_t high) {
  return integer_of(value(key), key, low, high);
}

Sizes JsonKeys::integers(const char* key) {
  Sizes values;
  for (const Json& item : list(key))
    values.push_back(integer_of(item, key, std::numeric_limits<std::int64_t>::min(), kMaxInt));
  return values;
}

Pair JsonKeys::pair(const char* key) {
  const Sizes values = integers(key);
  if (values.size() != 2) fail_at(key, "[height, width]", value(key));
  return {values[0], values[1]};
}

Dimension JsonKeys::dimension_of(const Json& found, const char* key) const {
  Dimension dimension;
  if (found.is_number_integer() && found >= 0 && found <= kMaxElements)
    dimension = found.get<std::int64_t>();
  else if (!found.is_string() || !parse(found.get<std::string>(), dimension) || dimension.is_number())
    fail_at(key, "sizes that are integers or like \"batch\" or \"2*batch + 1\"", found);
  return dimension;
}

Dimension JsonKeys::dimension(const char* key) {
  return dimension_of(value(key), key);
}

Shape JsonKeys::shape(const char* key) {
  Shape shape;
  for (const Json& size : list(key)) shape.push_back(dimension_of(size, key));
  return shape;
}

void JsonKeys::end() const {
  for (const auto& [key, ignored] : object_.items())
    if (!read_.contains(key)) throw GraphError(io::join(place(key), ": unknown key"));
}

}  // namespace samebits::graph
