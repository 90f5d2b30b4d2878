#include "torch_ext/config/field_table.h"

namespace samebits {
namespace {

std::string code(const std::string& text) {
  return std::string("`").append(text).append("`");
}

std::string code_of_list(const std::string& items) {
  return std::string("`[").append(items).append("]`");
}

std::string list_text(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string codes(std::vector<std::string> items) {
  for (std::string& item : items) item = code(item);
  return list_text(items);
}

std::vector<std::string> texts_of_sizes(const std::vector<std::int64_t>& sizes) {
  std::vector<std::string> texts;
  for (const std::int64_t size : sizes) texts.push_back(std::to_string(size));
  return texts;
}

std::string range_text(const NumberRange& range) {
  const bool is_closed = range.high < kAnyNumber && range.low != kAboveZero && range.high != kBelowOne;
  if (is_closed) return number_text(range.low) + ".." + number_text(range.high);
  const std::string low = range.low == kAboveZero ? "> 0" : "≥ " + number_text(range.low);
  if (range.high == kAnyNumber) return low;
  return low + " and " + (range.high == kBelowOne ? "< 1" : "≤ " + number_text(range.high));
}

}  // namespace

FieldTable::FieldTable(const std::string& title) : sections_({{title, {}}}), place_{"", 0} {}

void FieldTable::row(Row row) {
  row.key = code(place_.prefix + row.key);
  if (!condition_.empty()) row.meaning += (row.meaning.empty() ? "" : "; ") + condition_;
  sections_[place_.section].rows.push_back(std::move(row));
}

FieldTable::Place FieldTable::enter(const std::string& key, const MapText& text) {
  const Place before = place_;
  if (!text.inherits_from.empty())
    row({key + ".*", "", "as " + code(text.inherits_from + ".*"), text.inherited, ""});
  place_.prefix += key + ".";
  if (text.title.empty()) return before;
  sections_.push_back({text.title, {}});
  place_.section = sections_.size() - 1;
  return before;
}

void FieldTable::folder_name(const std::string& key, const std::string&, const std::string& meaning) {
  row({key, "text", "up to 100 letters, digits, `.`, `_`, `-`; first a letter or digit", "required",
       meaning});
}

void FieldTable::text(const std::string& key, const std::string& field, const std::string& meaning) {
  row({key, "text", "not empty", code(field), meaning});
}

void FieldTable::flag(const std::string& key, bool field, const std::string& meaning) {
  row({key, "boolean", "", code(field ? "true" : "false"), meaning});
}

void FieldTable::choice(const std::string& key, const std::string& field,
                        const std::vector<std::string>& names, const std::string& meaning) {
  row({key, "choice", codes(names), code(field), meaning});
}

void FieldTable::integer_row(const std::string& key, std::int64_t field, const IntegerRange& range,
                             const std::string& meaning) {
  const std::string high = range.high == kAnyInteger ? "" : ".." + std::to_string(range.high);
  row({key, "integer", high.empty() ? "≥ " + std::to_string(range.low) : std::to_string(range.low) + high,
       code(std::to_string(field)), meaning});
}

void FieldTable::number(const std::string& key, double field, const NumberRange& range,
                        const std::string& meaning) {
  row({key, "number", range_text(range), code(number_text(field)), meaning});
}

void FieldTable::sizes(const std::string& key, const std::vector<std::int64_t>& field, std::int64_t high,
                       std::size_t most, const std::string& meaning) {
  row({key, "integer or list", "1.." + std::to_string(high) + " each, at most " + std::to_string(most),
       code_of_list(list_text(texts_of_sizes(field))), meaning});
}

void FieldTable::choices(const std::string& key, const std::vector<std::string>& field,
                         const std::vector<std::string>& names, const std::string& meaning) {
  row({key, "list", "at least one of " + codes(names) + ", each once", code_of_list(list_text(field)),
       meaning});
}

void FieldTable::member(const std::string& key, std::int64_t, const std::vector<std::string>& members,
                        const std::string& meaning) {
  row({key, "integer", list_text(members), "none", meaning});
}

void FieldTable::constant(const std::string& key, const std::string& value, const std::string& why) {
  row({key, "choice", code(value), code(value), why});
}

std::string FieldTable::text() const {
  std::string text;
  for (const Section& section : sections_) {
    text +=
        section.title + "\n\n| key | type | range | default | meaning |\n| --- | --- | --- | --- | --- |\n";
    for (const Row& row : section.rows) {
      text += "|";
      for (const std::string& cell : {row.key, row.type, row.range, row.standard, row.meaning})
        text += (cell.empty() ? "" : " " + cell) + " |";
      text += "\n";
    }
    text += "\n";
  }
  return text;
}

}  // namespace samebits
