#include "torch_ext/graph/pt2/arguments.h"

#include <c10/core/Device.h>
#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>

#include "io/error.h"
#include "torch_ext/graph/pt2/archive.h"

namespace samebits::pt2 {
namespace {

using c10::IValue;
using nlohmann::json;

IValue memory_format(const json& number) {
  constexpr at::MemoryFormat kFormats[] = {at::MemoryFormat::Preserve, at::MemoryFormat::Contiguous,
                                           at::MemoryFormat::ChannelsLast, at::MemoryFormat::ChannelsLast3d,
                                           at::MemoryFormat::Preserve};
  const auto index = number.get<std::size_t>();
  if (index >= std::size(kFormats)) io::fail("expected a memory format in 0..4, got ", number.dump());
  return kFormats[index];
}

IValue layout(const json& number) {
  constexpr int kStrided = 7;
  if (number != kStrided) io::fail("expected a strided layout, got number ", number.dump());
  return at::kStrided;
}

IValue device(const json& j) {
  const json& index = j.at("index");
  std::string name = j.at("type").get<std::string>();
  if (!index.is_null()) name.append(":").append(index.dump());
  return at::Device(name);
}

const ProgramArgument& named(const std::string& name, const Scope& scope) {
  const auto found = scope.find(name);
  if (found == scope.end()) io::fail("expected a value made before it, got \"", name, "\"");
  return found->second;
}

/// What stands in a list of that tag; empty: it is no list.
std::string item_tag(const std::string& tag) {
  static const std::map<std::string, std::string> kItems = {
      {"as_tensors", "as_tensor"},      {"as_ints", "as_int"},       {"as_floats", "as_float"},
      {"as_bools", "as_bool"},          {"as_strings", "as_string"}, {"as_int_lists", "as_ints"},
      {"as_sym_ints", "tagged"},        {"as_sym_floats", "tagged"}, {"as_sym_bools", "tagged"},
      {"as_optional_tensors", "tagged"}};
  const auto found = kItems.find(tag);
  return found == kItems.end() ? "" : found->second;
}

ProgramArgument argument(const std::string& tag, const json& j, const Scope& scope) {
  if (tag == "as_none") return {IValue()};
  if (tag == "as_tensor") return named(j.at("name"), scope);
  if (tag == "as_name") return named(j, scope);
  if (tag == "as_int") return {IValue(j.get<std::int64_t>())};
  if (tag == "as_bool") return {IValue(j.get<bool>())};
  if (tag == "as_float")  // "Infinity"
    return {IValue(j.is_string() ? std::stod(j.get<std::string>()) : j.get<double>())};
  if (tag == "as_string") return {IValue(j.get<std::string>())};
  if (tag == "as_scalar_type") return {IValue(dtype_of(j, "an argument"))};
  if (tag == "as_layout") return {layout(j)};
  if (tag == "as_memory_format") return {memory_format(j)};
  if (tag == "as_device") return {device(j)};
  const bool wraps = tag == "tagged" || tag == "as_sym_int" || tag == "as_sym_float" ||
                     tag == "as_sym_bool" || tag == "as_optional_tensor";
  if (wraps) return argument(j.begin().key(), j.begin().value(), scope);
  const std::string item = item_tag(tag);
  if (item.empty())
    io::fail("expected tensors, numbers, strings, dtypes and devices as arguments, got one of type ", tag);
  ProgramList list;
  for (const json& each : j) list.push_back(argument(item, each, scope));
  return {std::move(list)};
}

}  // namespace

ProgramArgument argument(const json& tagged, const Scope& scope) {
  if (!tagged.is_object() || tagged.empty())
    io::fail("expected an argument with its type, got ", tagged.dump());
  return argument("tagged", tagged, scope);
}

std::string name_of(const json& tagged) {
  const json& j = tagged.begin().value();
  return j.contains("name") ? j.at("name") : j.at("as_name");
}

}  // namespace samebits::pt2
