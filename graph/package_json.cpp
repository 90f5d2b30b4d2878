// Every key is written always and expected always, but for those of fields younger than the format, which are
// there only where they say something; an unknown one is refused: a reader that skips what it does not know
// would run another model than the one that was saved. The keys of an operator are the fields that its
// visit() names.
#include "graph/package_json.h"

#include <algorithm>

#include "graph/json_keys.h"
#include "graph/operator.h"
#include "graph/package_arrays.h"
#include "graph/package_v1.h"

namespace samebits::graph {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using quant::Encoding;
using quant::Granularity;

constexpr Dtype kDtypes[] = {Dtype::kFloat32, Dtype::kInt64, Dtype::kBool};

struct GranularityName {
  const char* name;
  Granularity granularity;
};
constexpr GranularityName kGranularities[] = {{"per_tensor", Granularity::kPerTensor},
                                              {"per_channel", Granularity::kPerChannel},
                                              {"per_group", Granularity::kPerGroup}};

Dtype read_dtype(JsonKeys& keys) {
  const std::string dtype = keys.text("dtype");
  const auto* found = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                   [&](Dtype each) { return dtype == to_text(each); });
  if (found == std::end(kDtypes)) keys.fail_at("dtype", "float32, int64 or bool", dtype);
  return *found;
}

OrderedJson json_of(const Dimension& dimension) {
  if (dimension.is_number()) return dimension.offset;
  return to_text(dimension);
}

OrderedJson json_of(const Shape& shape) {
  OrderedJson list = OrderedJson::array();
  for (const Dimension& dimension : shape) list.push_back(json_of(dimension));
  return list;
}

/// An operator's fields into a node's object and the arrays.
class Writer : public AttributeWriter {
 public:
  Writer(const std::string& node, OrderedJson& json, ArraySink& arrays)
      : node_(node), json_(json), arrays_(arrays) {}

  void operator()(const char* key, const bool& value) override { json_[key] = value; }
  void operator()(const char* key, const std::int64_t& value) override { json_[key] = value; }
  // A double holds every float, and 17 digits every double.
  void operator()(const char* key, const float& value) override { json_[key] = double{value}; }
  void operator()(const char* key, const Pair& value) override { json_[key] = value; }
  void operator()(const char* key, const kernels::AffineGrid& grid) override {
    json_[key] = {{"scale", double{grid.scale}},
                  {"zero_point", grid.zero_point},
                  {"qmin", grid.qmin},
                  {"qmax", grid.qmax}};
  }
  void operator()(const char* key, const quant::QuantizedTensor& tensor) override {
    const Encoding& encoding = tensor.encoding;
    const auto* granularity =
        std::find_if(std::begin(kGranularities), std::end(kGranularities),
                     [&](const GranularityName& each) { return each.granularity == encoding.granularity; });
    json_[key] = {{"shape", tensor.shape},
                  {"bits", encoding.bits},
                  {"qmin", encoding.qmin},
                  {"qmax", encoding.qmax},
                  {"symmetric", encoding.symmetric},
                  {"granularity", granularity->name},
                  {"group_size", encoding.group_size}};
    arrays_.codes(node_ + "." + key, tensor);
  }
  void operator()(const char* key, const FloatTensor& tensor) override {
    json_[key] = {{"shape", tensor.shape}};
    arrays_.floats(node_ + "." + key, tensor.shape, tensor.values);
  }
  void operator()(const char* key, const std::vector<float>& values) override {
    json_[std::string("has_") + key] = !values.empty();
    if (!values.empty())
      arrays_.floats(node_ + "." + key, {static_cast<std::int64_t>(values.size())}, values);
  }
  void optional(const char* key, const std::vector<float>& values) override {
    if (!values.empty()) (*this)(key, values);
  }
  void operator()(const char* key, const Sizes& value) override { json_[key] = value; }
  void operator()(const char* key, const Dimension& value) override { json_[key] = json_of(value); }
  void operator()(const char* key, const Shape& value) override { json_[key] = json_of(value); }
  void operator()(const char* key, const ConstantTensor& tensor) override {
    json_[key] = {{"dtype", to_text(tensor.dtype)}, {"shape", tensor.shape}};
    arrays_.constant(node_ + "." + key, tensor);
  }
  void choose(const char* key, Names names, std::size_t value) override { json_[key] = names[value]; }

 private:
  const std::string& node_;
  OrderedJson& json_;
  ArraySink& arrays_;
};

Granularity read_granularity(JsonKeys& keys) {
  const std::string name = keys.text("granularity");
  for (const GranularityName& each : kGranularities)
    if (name == each.name) return each.granularity;
  keys.fail_at("granularity", "per_tensor, per_channel or per_group", name);
}

class Reader : public AttributeReader {
 public:
  Reader(const std::string& node, JsonKeys& keys, ArraySource& arrays)
      : node_(node), keys_(keys), arrays_(arrays) {}

  void operator()(const char* key, bool& value) override { value = keys_.flag(key); }
  void operator()(const char* key, std::int64_t& value) override { value = keys_.integer<std::int64_t>(key); }
  void operator()(const char* key, float& value) override { value = keys_.number(key); }
  void operator()(const char* key, Pair& value) override { value = keys_.pair(key); }
  void operator()(const char* key, kernels::AffineGrid& grid) override {
    JsonKeys keys = keys_.object(key);
    grid.scale = keys.number("scale");
    grid.zero_point = keys.integer<std::int32_t>("zero_point");
    grid.qmin = keys.integer<std::int32_t>("qmin");
    grid.qmax = keys.integer<std::int32_t>("qmax");
    keys.end();
  }
  void operator()(const char* key, quant::QuantizedTensor& tensor) override {
    JsonKeys keys = keys_.object(key);
    Encoding& encoding = tensor.encoding;
    tensor.shape = keys.integers("shape");
    encoding.bits = static_cast<int>(keys.integer("bits", 2, 8));
    encoding.qmin = keys.integer<std::int32_t>("qmin");
    encoding.qmax = keys.integer<std::int32_t>("qmax");
    encoding.symmetric = keys.flag("symmetric");
    encoding.granularity = read_granularity(keys);
    encoding.group_size = keys.integer<std::int64_t>("group_size");
    keys.end();
    const bool has_groups = encoding.granularity == Granularity::kPerGroup;
    if (has_groups ? encoding.group_size < 4 || encoding.group_size % 4 != 0 : encoding.group_size != 0)
      throw GraphError(io::join(keys.place("group_size"),
                                ": expected a multiple of 4 per group, else 0, got ", encoding.group_size));
    arrays_.codes(node_ + "." + key, tensor);
  }
  void operator()(const char* key, FloatTensor& tensor) override {
    JsonKeys keys = keys_.object(key);
    tensor.shape = keys.integers("shape");
    keys.end();
    element_count(keys_.place(key), tensor.shape);
    tensor.values = arrays_.floats(node_ + "." + key, tensor.shape);
  }
  void operator()(const char* key, std::vector<float>& values) override {
    const std::string flag = std::string("has_") + key;
    if (keys_.flag(flag.c_str())) values = arrays_.floats(node_ + "." + key, {});
  }
  void optional(const char* key, std::vector<float>& values) override {
    const std::string flag = std::string("has_") + key;
    if (!keys_.has(flag.c_str())) return;
    if (!keys_.flag(flag.c_str())) keys_.fail_at(flag, "true, or no such key", false);
    (*this)(key, values);
  }
  void operator()(const char* key, Sizes& value) override { value = keys_.integers(key); }
  void operator()(const char* key, Dimension& value) override { value = keys_.dimension(key); }
  void operator()(const char* key, Shape& value) override { value = keys_.shape(key); }
  void operator()(const char* key, ConstantTensor& tensor) override {
    JsonKeys keys = keys_.object(key);
    tensor.dtype = read_dtype(keys);
    tensor.shape = keys.integers("shape");
    keys.end();
    element_count(keys_.place(key), tensor.shape);
    arrays_.constant(node_ + "." + key, tensor);
  }
  void choose(const char* key, Names names, std::size_t& value) override {
    const std::string name = keys_.text(key);
    std::string all;
    for (value = 0; value < names.size() && name != names[value]; ++value)
      all += (value == 0 ? "" : value + 1 == names.size() ? " or " : ", ") + std::string(names[value]);
    if (value == names.size()) keys_.fail_at(key, all, name);
  }

 private:
  bool has(const char* key) override { return keys_.has(key); }
  [[noreturn]] void refuse_usual(const char* key) override {
    keys_.fail_at(key, "another value than the one that a missing key means", keys_.value(key));
  }

  const std::string& node_;
  JsonKeys& keys_;
  ArraySource& arrays_;
};

/// The tensors of codes.safetensors.
class TensorSink : public ArraySink {
 public:
  explicit TensorSink(io::SafetensorsFile& file) : file_(file) {}
  void codes(const std::string& name, const quant::QuantizedTensor& tensor) override {
    write_codes(name, tensor, file_);
  }
  void floats(const std::string& name, const Sizes& shape, const std::vector<float>& values) override {
    write_floats(name, shape, values, file_);
  }
  void constant(const std::string& name, const ConstantTensor& tensor) override {
    write_constant(name, tensor, file_);
  }

 private:
  io::SafetensorsFile& file_;
};

class TensorSource : public ArraySource {
 public:
  explicit TensorSource(io::SafetensorsFile& file) : file_(file) {}
  void codes(const std::string& name, quant::QuantizedTensor& tensor) override {
    read_codes(name, tensor, file_);
  }
  std::vector<float> floats(const std::string& name, const Sizes& shape) override {
    return read_floats(name, shape, file_);
  }
  void constant(const std::string& name, ConstantTensor& tensor) override {
    read_constant(name, tensor, file_);
  }
  void end() override {
    if (!file_.tensors.empty())
      throw ArraysError(file_.tensors.begin()->first + ": expected no tensor that graph.json does not name");
  }

 private:
  io::SafetensorsFile& file_;
};

Input read_input(const Json& json, std::size_t index) {
  JsonKeys keys(json, io::join("inputs[", index, "]"));
  Input input;
  input.name = keys.text("name");
  input.type.dtype = read_dtype(keys);
  input.type.shape = keys.shape("shape");
  keys.end();
  return input;
}

Node read_node(const Json& json, std::size_t index, ArraySource& arrays) {
  // The name is what a user knows the node by; until it is read there is only its place.
  std::string where = io::join("nodes[", index, "]");
  Node node;
  node.name = JsonKeys(json, where).text("name");
  if (!node.name.empty()) where = node.name;
  JsonKeys keys(json, where);
  keys.value("name");
  const std::string op = keys.text("op");
  node.op = find_operator(op);
  if (node.op == nullptr) keys.fail_at("op", "one of " + operator_names(), op);
  node.scope = keys.text("scope");
  node.inputs = keys.texts("inputs");
  node.outputs = keys.texts("outputs");
  node.attributes = node.op->attributes();
  Reader reader(node.name, keys, arrays);
  node.op->read(node.attributes, reader);
  keys.end();
  return node;
}

}  // namespace

std::string graph_json(const Graph& graph, ArraySink& arrays) {
  OrderedJson json;
  json["format"] = "samebits";
  json["version"] = kPackageVersion;
  json["name"] = graph.name;
  json["inputs"] = OrderedJson::array();
  for (const Input& input : graph.inputs) {
    json["inputs"].push_back(
        {{"name", input.name}, {"dtype", to_text(input.type.dtype)}, {"shape", json_of(input.type.shape)}});
  }
  json["outputs"] = graph.outputs;
  json["nodes"] = OrderedJson::array();
  for (const Node& node : graph.nodes) {
    OrderedJson each = {{"name", node.name},
                        {"op", node.op->name},
                        {"scope", node.scope},
                        {"inputs", node.inputs},
                        {"outputs", node.outputs}};
    Writer writer(node.name, each, arrays);
    node.op->write(node.attributes, writer);
    json["nodes"].push_back(std::move(each));
  }
  return json.dump(2) + "\n";
}

PackageText to_text(const Graph& graph) {
  PackageText text;
  text.arrays.metadata["format"] = "samebits";
  TensorSink sink(text.arrays);
  text.json = graph_json(graph, sink);
  return text;
}

Graph graph_of(const Json& json, io::SafetensorsFile& arrays) {
  TensorSource source(arrays);
  if (json.is_object() && json.contains("version") && json["version"] == 1)
    return graph_of(upgraded_from_v1(json, arrays), source);
  return graph_of(json, source);
}

Graph graph_of(const Json& json, ArraySource& arrays) {
  JsonKeys keys(json, "");
  if (const Json& format = keys.value("format"); format != "samebits")
    keys.fail_at("format", "\"samebits\"", format);
  const Json& version = keys.value("version");
  if (version != kPackageVersion)
    keys.fail_at("version", io::join("1 or ", kPackageVersion, ", which this build reads"), version);
  Graph graph;
  graph.name = keys.text("name");
  const Json &inputs = keys.list("inputs"), &nodes = keys.list("nodes");
  graph.outputs = keys.texts("outputs");
  keys.end();
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.inputs.push_back(read_input(inputs[i], i));
  for (std::size_t i = 0; i < nodes.size(); ++i) graph.nodes.push_back(read_node(nodes[i], i, arrays));
  arrays.end();
  return graph;
}

}  // namespace samebits::graph
