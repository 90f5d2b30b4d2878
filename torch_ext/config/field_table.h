// The keys of a configuration as the Markdown tables of its documentation (fields.h).
#pragma once

#include "torch_ext/config/fields.h"

namespace samebits {

/// Visits a default configuration; then text() has a section a titled map, in the order of the visits.
class FieldTable {
 public:
  static constexpr bool kIsReader = false;
  explicit FieldTable(const std::string& title);

  void folder_name(const std::string& key, const std::string&, const std::string& meaning);
  void text(const std::string& key, const std::string& field, const std::string& meaning);
  void optional_text(const std::string& key, const std::string&, const std::string& meaning) {
    row({key, "text", "not empty", "none", meaning});
  }
  void texts(const std::string& key, const std::vector<std::string>&, const std::string& meaning) {
    row({key, "text or list", "not empty", "none", meaning});
  }
  void one_of(const std::string& key, const std::string& field, const KeyMeanings& keys) {
    for (const auto& [name, meaning] : keys)
      row({name, "text", "not empty", name == key ? "`" + field + "`" : "none", meaning});
  }
  void flag(const std::string& key, bool field, const std::string& meaning);
  void choice(const std::string& key, const std::string& field, const std::vector<std::string>& names,
              const std::string& meaning);
  template <class Enum>
  void choice(const std::string& key, Enum field, const Names<Enum>& names, const std::string& meaning) {
    choice(key, name_of(names, field), texts_of(names), meaning);
  }
  template <class Integer>
  void integer(const std::string& key, Integer field, const IntegerRange& range, const std::string& meaning) {
    integer_row(key, static_cast<std::int64_t>(field), range, meaning);
  }
  void number(const std::string& key, double field, const NumberRange& range, const std::string& meaning);
  void sizes(const std::string& key, const std::vector<std::int64_t>& field, std::int64_t high,
             std::size_t most, const std::string& meaning);
  void choices(const std::string& key, const std::vector<std::string>& field,
               const std::vector<std::string>& names, const std::string& meaning);
  void member(const std::string& key, std::int64_t, const std::vector<std::string>& members,
              const std::string& meaning);
  void constant(const std::string& key, const std::string& value, const std::string& why);

  template <class Fields>
  void when(bool, const std::string&, const std::string& documented, const Fields& fields) {
    condition_ = documented;
    fields(*this);
    condition_.clear();
  }
  template <class Fields, class... Check>
  void map(const std::string& key, const MapText& text, const Fields& fields, const Check&...) {
    const Place before = enter(key, text);
    if (text.inherits_from.empty()) fields(*this);
    leave(before);
  }
  template <class Entry, class Fields>
  void entries(const std::string& key, const std::vector<std::pair<std::string, Entry>>&, const Entry&,
               const Fields&, const std::string& meaning) {
    row({key, "map", "", "`{}`", meaning});
  }
  bool names(const std::string&) const { return false; }

  std::string text() const;

 private:
  struct Place {
    std::string prefix;   // "qat."
    std::size_t section;  // whose rows come next
  };
  struct Row {
    std::string key, type, range, standard, meaning;
  };
  struct Section {
    std::string title;
    std::vector<Row> rows;
  };
  Place enter(const std::string& key, const MapText& text);
  void leave(const Place& before) { place_ = before; }
  void row(Row row);
  void integer_row(const std::string& key, std::int64_t field, const IntegerRange& range,
                   const std::string& meaning);

  std::vector<Section> sections_;
  Place place_;
  std::string condition_;  // "only with `cnn`"
};

}  // namespace samebits
