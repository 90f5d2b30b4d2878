#include "graph/package_v1.h"

#include "graph/graph.h"
#include "graph/json_keys.h"
#include "io/error.h"

namespace samebits::graph {
namespace {

using Json = nlohmann::json;

/// Moves what stands at `key` to `renamed`.
void rename(Json& object, const char* key, const char* renamed, Json value) {
  object.erase(key);
  object[renamed] = std::move(value);
}

Json upgraded_input(JsonKeys& graph) {
  JsonKeys keys = graph.object("input");
  Json shape = Json::array();
  const Sizes sizes = keys.integers("shape");
  if (sizes.size() < 2 || sizes[0] != -1)
    throw GraphError(
        io::join(keys.place("shape"), ": expected [-1, ...], -1 for the batch, got ", io::to_text(sizes)));
  for (const std::int64_t size : sizes) shape.push_back(size == -1 ? Json("batch") : Json(size));
  Json input = {{"name", keys.text("name")}, {"dtype", "float32"}, {"shape", shape}};
  keys.end();
  return Json::array({input});
}

/// Scales of shape [1] were those of a tensor, whatever the number of its channels.
const char* granularity_of(const Json& weight, const std::string& node, const io::SafetensorsFile& arrays) {
  if (weight.contains("group_size") && weight["group_size"] != 0) return "per_group";
  const auto scale = arrays.tensors.find(node + ".weight_scale");
  const bool is_one = scale != arrays.tensors.end() && scale->second.shape == Sizes{1};
  return is_one ? "per_tensor" : "per_channel";
}

Json upgraded_node(const Json& json, std::size_t index, const io::SafetensorsFile& arrays) {
  const std::string place = io::join("nodes[", index, "]");
  const std::string name = JsonKeys(json, place).text("name");
  JsonKeys keys(json, name.empty() ? place : name);
  Json node = json;
  rename(node, "output", "outputs", Json::array({keys.text("output")}));
  node["scope"] = "";
  if (json.contains("window")) {
    JsonKeys window = keys.object("window");
    node.erase("window");
    for (const auto& [key, value] : json["window"].items()) {
      if (node.contains(key)) throw GraphError(io::join(window.place(key), ": unknown key"));
      node[key] = value;
    }
  }
  if (json.contains("weight")) {
    JsonKeys weight = keys.object("weight");
    rename(node["weight"], "has_zero_point", "symmetric", !weight.flag("has_zero_point"));
    node["weight"]["granularity"] = granularity_of(json["weight"], name, arrays);
  }
  return node;
}

}  // namespace

Json upgraded_from_v1(const Json& json, const io::SafetensorsFile& arrays) {
  JsonKeys keys(json, "");
  Json upgraded = json;
  upgraded["version"] = 2;
  rename(upgraded, "input", "inputs", upgraded_input(keys));
  rename(upgraded, "output", "outputs", Json::array({keys.text("output")}));
  Json nodes = Json::array();
  const Json& old = keys.list("nodes");
  for (std::size_t i = 0; i < old.size(); ++i) nodes.push_back(upgraded_node(old[i], i, arrays));
  upgraded["nodes"] = std::move(nodes);
  return upgraded;
}

}  // namespace samebits::graph
