// Every key is written always and expected always; an unknown one is refused: a reader that skips what it
// does not know would run another model than the one that was saved.
#include "graph/package_json.h"

#include <algorithm>
#include <limits>
#include <set>

#include "graph/shapes.h"
#include "io/error.h"
#include "io/json.h"

namespace samebits::runtime {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr Op kOps[] = {Op::kLinear,    Op::kConv2d,  Op::kRelu, Op::kMaxPool2d,
                       Op::kAvgPool2d, Op::kFlatten, Op::kAdd};

/// The keys of one JSON object; each is asked for once.
class Reader {
 public:
  /// `where` begins messages: "conv1.weight".
  Reader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object())
      throw io::GraphError(
          io::join(where_.empty() ? "" : where_ + ": ", "expected an object, got ", shown(object)));
  }

  const Json& value(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end()) throw io::GraphError(io::join(place(key), ": expected a value, got none"));
    read_.insert(key);
    return *found;
  }
  std::int64_t integer(const char* key, std::int64_t low, std::int64_t high) {
    return integer_of(value(key), key, low, high);
  }
  template <class Int>
  Int integer(const char* key) {
    return static_cast<Int>(integer(key, std::numeric_limits<Int>::min(), std::numeric_limits<Int>::max()));
  }
  float number(const char* key) {
    const Json& found = value(key);
    if (!found.is_number()) fail_at(key, "a number", found);
    // Beyond float's range a cast would be undefined.
    const double limit = std::numeric_limits<float>::max();
    const double number = found.get<double>();
    if (!(number >= -limit && number <= limit)) fail_at(key, "a float32", found);
    return static_cast<float>(number);
  }
  std::string text(const char* key) {
    const Json& found = value(key);
    if (!found.is_string()) fail_at(key, "a text", found);
    return found.get<std::string>();
  }
  bool flag(const char* key) {
    const Json& found = value(key);
    if (!found.is_boolean()) fail_at(key, "true or false", found);
    return found.get<bool>();
  }
  const Json& list(const char* key) {
    const Json& found = value(key);
    if (!found.is_array()) fail_at(key, "a list", found);
    return found;
  }
  std::vector<std::int64_t> integers(const char* key) {
    std::vector<std::int64_t> values;
    for (const Json& item : list(key))
      values.push_back(integer_of(item, key, std::numeric_limits<std::int64_t>::min(), kMaxInt));
    return values;
  }
  std::array<std::int64_t, 2> pair(const char* key) {
    const std::vector<std::int64_t> values = integers(key);
    if (values.size() != 2) fail_at(key, "[height, width]", value(key));
    return {values[0], values[1]};
  }
  Reader object(const char* key) { return {value(key), place(key)}; }

  /// Throws when a key was never asked for.
  void end() const {
    for (const auto& [key, ignored] : object_.items())
      if (!read_.contains(key)) throw io::GraphError(io::join(place(key), ": unknown key"));
  }

  [[noreturn]] void fail_at(const std::string& key, const std::string& expected, const Json& got) const {
    throw io::GraphError(io::join(place(key), ": expected ", expected, ", got ", shown(got)));
  }

 private:
  static constexpr std::int64_t kMaxInt = std::numeric_limits<std::int64_t>::max();

  static std::string shown(const Json& value) { return io::shortened(value.dump()); }
  std::string place(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }
  std::int64_t integer_of(const Json& found, const char* key, std::int64_t low, std::int64_t high) const {
    const bool is_too_large =
        found.is_number_unsigned() && found.get<std::uint64_t>() > std::uint64_t{kMaxInt};
    if (!found.is_number_integer() || is_too_large || found.get<std::int64_t>() < low ||
        found.get<std::int64_t>() > high)
      fail_at(key, io::join("an integer in ", low, "..", high), found);
    return found.get<std::int64_t>();
  }

  const Json& object_;
  std::string where_;
  std::set<std::string> read_;
};

OrderedJson window_json(const Node& node) {
  const Window& window = node.window;
  OrderedJson json;
  if (node.op != Op::kConv2d) json["kernel"] = window.kernel;
  json["stride"] = window.stride;
  json["padding"] = window.padding;
  if (node.op != Op::kAvgPool2d) json["dilation"] = window.dilation;
  if (node.op == Op::kConv2d) json["groups"] = window.groups;
  if (node.op == Op::kMaxPool2d) json["ceil_mode"] = window.ceil_mode;
  return json;
}

Window read_window(Reader reader, Op op) {
  Window window;
  if (op != Op::kConv2d) window.kernel = reader.pair("kernel");
  window.stride = reader.pair("stride");
  window.padding = reader.pair("padding");
  if (op != Op::kAvgPool2d) window.dilation = reader.pair("dilation");
  if (op == Op::kConv2d) window.groups = reader.integer<std::int64_t>("groups");
  if (op == Op::kMaxPool2d) window.ceil_mode = reader.flag("ceil_mode");
  reader.end();
  return window;
}

bool has_window(Op op) {
  return op == Op::kConv2d || op == Op::kMaxPool2d || op == Op::kAvgPool2d;
}

void add_layer_json(const Node& node, OrderedJson& json) {
  const kernels::AffineGrid& grid = *node.input_grid;
  const Weight& weight = *node.weight;
  // A double holds every float, and 17 digits every double.
  json["input_grid"] = {{"scale", double{grid.scale}},
                        {"zero_point", grid.zero_point},
                        {"qmin", grid.qmin},
                        {"qmax", grid.qmax}};
  json["weight"] = {{"shape", weight.shape},
                    {"bits", weight.bits},
                    {"qmin", weight.qmin},
                    {"qmax", weight.qmax},
                    {"group_size", weight.group_size},
                    {"has_zero_point", !weight.zero_point.empty()}};
  json["has_bias"] = !node.bias.empty();
}

OrderedJson node_json(const Node& node) {
  OrderedJson json;
  json["name"] = node.name;
  json["op"] = op_name(node.op);
  json["inputs"] = node.inputs;
  json["output"] = node.output;
  if (is_layer(node.op)) add_layer_json(node, json);
  if (has_window(node.op)) json["window"] = window_json(node);
  if (node.op == Op::kFlatten) json["start_dim"] = node.start_dim;
  return json;
}

kernels::AffineGrid read_grid(Reader reader) {
  kernels::AffineGrid grid;
  grid.scale = reader.number("scale");
  grid.zero_point = reader.integer<std::int32_t>("zero_point");
  grid.qmin = reader.integer<std::int32_t>("qmin");
  grid.qmax = reader.integer<std::int32_t>("qmax");
  reader.end();
  return grid;
}

Weight read_weight(Reader reader, ArrayFlags& flags) {
  Weight weight;
  weight.shape = reader.integers("shape");
  weight.bits = static_cast<int>(reader.integer("bits", 2, 8));
  weight.qmin = reader.integer<std::int32_t>("qmin");
  weight.qmax = reader.integer<std::int32_t>("qmax");
  weight.group_size = reader.integer<std::int64_t>("group_size");
  flags.has_zero_point = reader.flag("has_zero_point");
  reader.end();
  return weight;
}

Op read_op(Reader& reader) {
  const std::string name = reader.text("op");
  const auto* op = std::find_if(std::begin(kOps), std::end(kOps), [&](Op o) { return op_name(o) == name; });
  if (op != std::end(kOps)) return *op;
  std::string known;
  for (const Op o : kOps) known += (known.empty() ? "" : ", ") + std::string(op_name(o));
  reader.fail_at("op", "one of " + known, name);
}

Node read_node(const Json& json, std::size_t index, ArrayFlags& flags) {
  // The name is what a user knows the node by; until it is read there is only its place.
  std::string where = io::join("nodes[", index, "]");
  Node node;
  node.name = Reader(json, where).text("name");
  if (!node.name.empty()) where = node.name;
  Reader reader(json, where);
  reader.value("name");
  node.op = read_op(reader);
  for (const Json& input : reader.list("inputs")) {
    if (!input.is_string()) reader.fail_at("inputs", "a list of texts", input);
    node.inputs.push_back(input);
  }
  node.output = reader.text("output");
  if (is_layer(node.op)) {
    node.input_grid = read_grid(reader.object("input_grid"));
    node.weight = read_weight(reader.object("weight"), flags);
    flags.has_bias = reader.flag("has_bias");
  }
  if (has_window(node.op)) node.window = read_window(reader.object("window"), node.op);
  if (node.op == Op::kFlatten) node.start_dim = reader.integer<std::int64_t>("start_dim");
  reader.end();
  return node;
}

}  // namespace

std::string to_json(const Graph& graph) {
  OrderedJson json;
  json["format"] = "samebits";
  json["version"] = kVersion;
  json["name"] = graph.name;
  json["input"] = {{"name", graph.input}, {"shape", graph.input_shape}};
  json["output"] = graph.output;
  json["nodes"] = OrderedJson::array();
  for (const Node& node : graph.nodes) json["nodes"].push_back(node_json(node));
  return json.dump(2) + "\n";
}

GraphDescription from_json(const std::string& text) {
  const Json json = io::parse_json(text);
  Reader reader(json, "");
  if (const Json& format = reader.value("format"); format != "samebits")
    reader.fail_at("format", "\"samebits\"", format);
  if (const Json& version = reader.value("version"); version != kVersion)
    reader.fail_at("version", io::join(kVersion, ", the one this build reads"), version);
  GraphDescription description;
  Graph& graph = description.graph;
  graph.name = reader.text("name");
  Reader input = reader.object("input");
  graph.input = input.text("name");
  graph.input_shape = input.integers("shape");
  input.end();
  graph.output = reader.text("output");
  const Json& nodes = reader.list("nodes");
  reader.end();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    ArrayFlags flags;
    graph.nodes.push_back(read_node(nodes[i], i, flags));
    description.arrays.push_back(flags);
  }
  return description;
}

}  // namespace samebits::runtime
