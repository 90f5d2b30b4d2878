#include "torch_ext/config/field_reader.h"

#include <algorithm>

namespace samebits {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_folder_name(const std::string& name) {
  const auto is_usual = [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 100 && is_letter_or_digit(name[0]) &&
         std::all_of(name.begin(), name.end(), is_usual);
}

}  // namespace

void FieldReader::folder_name(const std::string& key, std::string& field, const std::string&) {
  const YamlValue value = map_.at(key);
  field = value.text();
  if (!is_folder_name(field))
    value.fail("up to 100 letters, digits, \".\", \"_\" or \"-\", first a letter or a digit",
               "it names a folder");
}

void FieldReader::text(const std::string& key, std::string& field, const std::string&) {
  if (!map_.has(key)) return;
  const YamlValue value = map_.at(key);
  field = value.text();
  if (field.empty()) value.fail("a text that is not empty");
}

void FieldReader::texts(const std::string& key, std::vector<std::string>& field, const std::string&) {
  if (!map_.has(key)) return;
  const YamlValue value = map_.at(key);
  const std::vector<YamlValue> items = value.is_list() ? value.items() : std::vector{value};
  if (items.empty()) value.fail("at least one text");
  field.clear();
  for (const YamlValue& item : items) {
    field.push_back(item.text());
    if (field.back().empty()) item.fail("a text that is not empty");
  }
}

void FieldReader::one_of(std::string& key, std::string& field, const KeyMeanings& keys) {
  std::vector<std::string> names, found;
  for (const auto& [name, meaning] : keys) {
    names.push_back(name);
    if (map_.has(name)) found.push_back(name);
  }
  if (found.size() > 1) map_.at(found[1]).fail(found[0] + " or " + found[1], "keep one of them");
  if (found.empty()) return;
  key = found[0];
  text(key, field, "");
}

void FieldReader::flag(const std::string& key, bool& field, const std::string&) {
  if (map_.has(key)) field = map_.at(key).boolean();
}

void FieldReader::choice(const std::string& key, std::string& field, const std::vector<std::string>& names,
                         const std::string&) {
  if (map_.has(key)) field = map_.at(key).choice(names);
}

void FieldReader::number(const std::string& key, double& field, const NumberRange& range,
                         const std::string&) {
  if (map_.has(key)) field = map_.at(key).number(range.low, range.high);
}

void FieldReader::sizes(const std::string& key, std::vector<std::int64_t>& field, std::int64_t high,
                        std::size_t most, const std::string&) {
  if (!map_.has(key)) return;
  const YamlValue value = map_.at(key);
  const std::vector<YamlValue> items = value.is_list() ? value.items() : std::vector{value};
  if (items.empty()) value.fail("at least one size", "for example [64]");
  if (items.size() > most)
    value.fail("at most " + std::to_string(most) + " sizes", "it has " + std::to_string(items.size()));
  field.clear();
  for (const YamlValue& item : items) field.push_back(item.integer(1, high));
}

void FieldReader::choices(const std::string& key, std::vector<std::string>& field,
                          const std::vector<std::string>& names, const std::string&) {
  if (!map_.has(key)) return;
  const YamlValue value = map_.at(key);
  field.clear();
  for (const YamlValue& item : value.items()) {
    field.push_back(item.choice(names));
    if (std::count(field.begin(), field.end(), field.back()) > 1) item.fail("each name once");
  }
  if (field.empty()) value.fail("at least one of " + alternatives(names));
}

void FieldReader::member(const std::string& key, std::int64_t& field, const std::vector<std::string>& members,
                         const std::string&) {
  if (map_.has(key)) field = std::stoll(map_.at(key).choice(members));
}

void FieldReader::constant(const std::string& key, const std::string& value, const std::string& why) {
  if (map_.has(key) && map_.at(key).text() != value) map_.at(key).fail(value, why);
}

void FieldReader::refuse(const std::string& key, const std::string& reason) {
  if (map_.has(key)) map_.at(key).fail("no " + key + " " + reason, "remove the key");
}

std::int64_t FieldReader::integer_at(const std::string& key, const IntegerRange& range) {
  const YamlValue value = map_.at(key);
  return range.is_open ? value.integer_at_least(range.low, range.high) : value.integer(range.low, range.high);
}

}  // namespace samebits
