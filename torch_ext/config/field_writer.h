// Prints the fields of a configuration as YAML (fields.h), such that FieldReader gives equal ones.
#pragma once

#include <yaml-cpp/emitter.h>
#include <yaml-cpp/emittermanip.h>
#include <yaml-cpp/stlemitter.h>

#include "torch_ext/config/fields.h"

namespace samebits {

/// Writes into the open map of an emitter.
class FieldWriter {
 public:
  static constexpr bool kIsReader = false;
  explicit FieldWriter(YAML::Emitter& out) : out_(out) {}

  void folder_name(const std::string& key, const std::string& field, const std::string&) { pair(key, field); }
  void text(const std::string& key, const std::string& field, const std::string&) { pair(key, field); }
  void optional_text(const std::string& key, const std::string& field, const std::string&) {
    if (!field.empty()) pair(key, field);
  }
  void texts(const std::string& key, const std::vector<std::string>& field, const std::string&) {
    if (!field.empty()) out_ << YAML::Key << key << YAML::Value << YAML::Flow << field;
  }
  void one_of(const std::string& key, const std::string& field, const KeyMeanings&) { pair(key, field); }
  void flag(const std::string& key, bool field, const std::string&) { pair(key, field); }
  void choice(const std::string& key, const std::string& field, const std::vector<std::string>&,
              const std::string&) {
    pair(key, field);
  }
  template <class Enum>
  void choice(const std::string& key, Enum field, const Names<Enum>& names, const std::string&) {
    pair(key, name_of(names, field));
  }
  template <class Integer>
  void integer(const std::string& key, Integer field, const IntegerRange&, const std::string&) {
    pair(key, field);
  }
  void number(const std::string& key, double field, const NumberRange&, const std::string&) {
    pair(key, number_text(field));
  }
  void sizes(const std::string& key, const std::vector<std::int64_t>& field, std::int64_t, std::size_t,
             const std::string&) {
    out_ << YAML::Key << key << YAML::Value << YAML::Flow << field;
  }
  void choices(const std::string& key, const std::vector<std::string>& field, const std::vector<std::string>&,
               const std::string&) {
    out_ << YAML::Key << key << YAML::Value << YAML::Flow << field;
  }
  void member(const std::string& key, std::int64_t field, const std::vector<std::string>&,
              const std::string&) {
    pair(key, field);
  }
  void constant(const std::string&, const std::string&, const std::string&) {}

  template <class Fields>
  void when(bool holds, const std::string&, const std::string&, const Fields& fields) {
    if (holds) fields(*this);
  }
  template <class Fields, class... Check>
  void map(const std::string& key, const MapText& text, const Fields& fields, const Check&...) {
    out_ << YAML::Key << key << YAML::Value;
    if (text.is_flow) out_ << YAML::Flow;
    out_ << YAML::BeginMap;
    fields(*this);
    out_ << YAML::EndMap;
  }
  template <class Entry, class Fields>
  void entries(const std::string& key, const std::vector<std::pair<std::string, Entry>>& field, const Entry&,
               const Fields& fields, const std::string&) {
    out_ << YAML::Key << key << YAML::Value;
    if (field.empty()) out_ << YAML::Flow;
    out_ << YAML::BeginMap;
    for (const auto& [name, entry] : field) {
      out_ << YAML::Key << name << YAML::Value << YAML::BeginMap;
      fields(*this, entry);
      out_ << YAML::EndMap;
    }
    out_ << YAML::EndMap;
  }
  bool names(const std::string&) const { return false; }

 private:
  template <class Value>
  void pair(const std::string& key, const Value& value) {
    out_ << YAML::Key << key << YAML::Value << value;
  }
  YAML::Emitter& out_;
};

}  // namespace samebits
