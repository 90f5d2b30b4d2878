// Fills the fields of a configuration from a YAML map (fields.h): strict, every error at its key.
#pragma once

#include "torch_ext/config/fields.h"

namespace samebits {

/// Keys that are missing leave their field as it is. Everything throws ConfigError.
class FieldReader {
 public:
  static constexpr bool kIsReader = true;
  explicit FieldReader(YamlValue map) : map_(std::move(map)) {}

  /// Required, and fit to name a folder.
  void folder_name(const std::string& key, std::string& field, const std::string& meaning);
  void text(const std::string& key, std::string& field, const std::string& meaning);
  /// A text that may be missing: the field is empty then.
  void optional_text(const std::string& key, std::string& field, const std::string& meaning) {
    text(key, field, meaning);
  }
  /// One text, or a list of at least one; empty when it is missing.
  void texts(const std::string& key, std::vector<std::string>& field, const std::string& meaning);
  /// One of several keys, each a text: `key` is which, `field` what it says.
  void one_of(std::string& key, std::string& field, const KeyMeanings& keys);
  void flag(const std::string& key, bool& field, const std::string& meaning);
  void choice(const std::string& key, std::string& field, const std::vector<std::string>& names,
              const std::string& meaning);
  template <class Enum>
  void choice(const std::string& key, Enum& field, const Names<Enum>& names, const std::string&) {
    if (!map_.has(key)) return;
    const std::string text = map_.at(key).choice(texts_of(names));
    for (const auto& [member, name] : names)
      if (name == text) field = member;
  }
  template <class Integer>
  void integer(const std::string& key, Integer& field, const IntegerRange& range, const std::string&) {
    if (map_.has(key)) field = static_cast<Integer>(integer_at(key, range));
  }
  void number(const std::string& key, double& field, const NumberRange& range, const std::string& meaning);
  /// One size, or a list of 1 to `most`, each in 1..high.
  void sizes(const std::string& key, std::vector<std::int64_t>& field, std::int64_t high, std::size_t most,
             const std::string& meaning);
  /// A list of at least one of `names`, each once.
  void choices(const std::string& key, std::vector<std::string>& field, const std::vector<std::string>& names,
               const std::string& meaning);
  /// One of `members`, as an integer.
  void member(const std::string& key, std::int64_t& field, const std::vector<std::string>& members,
              const std::string& meaning);
  /// A key that may say only what holds anyway.
  void constant(const std::string& key, const std::string& value, const std::string& why);

  /// The keys of `fields` where `holds`; elsewhere each is an error: "expected no momentum with optimizer
  /// adamw".
  template <class Fields>
  void when(bool holds, const std::string& reason, const std::string& documented, const Fields& fields);

  /// `check` runs when all keys of the map are known to be right by themselves.
  template <class Fields, class Check>
  void map(const std::string& key, const MapText&, const Fields& fields, const Check& check) {
    if (!map_.has(key)) return;
    FieldReader reader(map_.at(key));
    fields(reader);
    reader.finish();
    check(reader);
  }
  template <class Fields>
  void map(const std::string& key, const MapText& text, const Fields& fields) {
    map(key, text, fields, [](FieldReader&) {});
  }

  /// A map whose keys are the user's: one entry each, which starts as `inherited`.
  template <class Entry, class Fields>
  void entries(const std::string& key, std::vector<std::pair<std::string, Entry>>& field,
               const Entry& inherited, const Fields& fields, const std::string&) {
    if (!map_.has(key)) return;
    YamlValue map = map_.at(key);
    for (const std::string& name : map.keys()) {
      const YamlValue value = map.at(name);
      if (name.empty()) value.fail("a layer path or a glob as the key");
      FieldReader reader(value);
      Entry entry = inherited;
      fields(reader, entry);
      reader.finish();
      field.emplace_back(name, std::move(entry));
    }
  }

  /// Whether the map names `key`, which counts as known from now on.
  bool names(const std::string& key) { return map_.has(key); }
  [[noreturn]] void fail_at(const std::string& key, const std::string& expected, const std::string& hint) {
    map_.at(key).fail(expected, hint);
  }
  void refuse(const std::string& key, const std::string& reason);
  void finish() const { map_.finish(); }

 private:
  std::int64_t integer_at(const std::string& key, const IntegerRange& range);
  YamlValue map_;
};

/// Refuses each key that it visits, if the map has it.
class FieldRefuser {
 public:
  static constexpr bool kIsReader = false;
  FieldRefuser(FieldReader& reader, const std::string& reason) : reader_(reader), reason_(reason) {}
  void member(const std::string& key, std::int64_t, const std::vector<std::string>&, const std::string&) {
    reader_.refuse(key, reason_);
  }
  void optional_text(const std::string& key, const std::string&, const std::string&) {
    reader_.refuse(key, reason_);
  }
  void flag(const std::string& key, bool, const std::string&) { reader_.refuse(key, reason_); }
  template <class... Rest>
  void texts(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }
  template <class... Rest>
  void integer(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }
  template <class... Rest>
  void number(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }
  template <class... Rest>
  void sizes(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }
  void choices(const std::string& key, const std::vector<std::string>&, const std::vector<std::string>&,
               const std::string&) {
    reader_.refuse(key, reason_);
  }
  template <class... Rest>
  void text(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }
  template <class... Rest>
  void choice(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }
  template <class... Rest>
  void map(const std::string& key, Rest&&...) {
    reader_.refuse(key, reason_);
  }

 private:
  FieldReader& reader_;
  const std::string& reason_;
};

template <class Fields>
void FieldReader::when(bool holds, const std::string& reason, const std::string&, const Fields& fields) {
  if (holds) {
    fields(*this);
  } else {
    FieldRefuser refuser(*this, reason);
    fields(refuser);
  }
}

}  // namespace samebits
