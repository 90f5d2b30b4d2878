#include "training/plan/sensitivity_file.h"

#include <cmath>
#include <limits>

#include "training/errors.h"

namespace samebits::training {
namespace {

using nlohmann::ordered_json;

/// JSON has no NaN and no infinity: null is the first, and a text the second.
ordered_json number_json(double value) {
  if (std::isnan(value)) return nullptr;
  if (std::isinf(value)) return "infinity";
  return value;
}

double number_of(const ordered_json& json) {
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (json.is_string() && json == "infinity") return std::numeric_limits<double>::infinity();
  return json.get<double>();
}

ordered_json layer_json(const LayerSensitivity& layer) {
  const planner::LayerShape& shape = layer.shape;
  ordered_json json = {{"path", shape.path},
                       {"kind", layer.kind},
                       {"out", shape.out},
                       {"row_length", shape.row_length},
                       {"positions", shape.positions},
                       {"x_elements", shape.x_elements},
                       {"y_elements", shape.y_elements},
                       {"hessian_trace", number_json(layer.hessian_trace)},
                       {"bits", ordered_json::array()}};
  for (const BitsSensitivity& each : layer.bits)
    json["bits"].push_back({{"bits", each.bits},
                            {"sqnr_db", number_json(each.sqnr_db)},
                            {"drop", number_json(each.score_drop)},
                            {"hessian", number_json(each.hessian)}});
  return json;
}

LayerSensitivity layer_of(const ordered_json& json) {
  LayerSensitivity layer{.shape = {.path = json.at("path").get<std::string>(),
                                   .out = json.at("out").get<std::int64_t>(),
                                   .row_length = json.at("row_length").get<std::int64_t>(),
                                   .positions = json.at("positions").get<std::int64_t>(),
                                   .x_elements = json.at("x_elements").get<std::int64_t>(),
                                   .y_elements = json.at("y_elements").get<std::int64_t>()},
                         .kind = json.at("kind").get<std::string>()};
  layer.hessian_trace = number_of(json.at("hessian_trace"));
  for (const ordered_json& each : json.at("bits")) {
    layer.bits.push_back({.bits = each.at("bits").get<int>(),
                          .sqnr_db = number_of(each.at("sqnr_db")),
                          .score_drop = number_of(each.at("drop")),
                          .hessian = number_of(each.at("hessian"))});
  }
  return layer;
}

}  // namespace

ordered_json to_json(const SensitivityFile& file) {
  const SensitivityConditions& with = file.conditions;
  ordered_json json = {{"checkpoint_sha256", with.checkpoint_sha256},
                       {"metric", with.metric},
                       {"examples", with.examples},
                       {"bits", with.bits},
                       {"hessian", with.hessian},
                       {"layers", ordered_json::array()}};
  for (const LayerSensitivity& layer : file.layers) json["layers"].push_back(layer_json(layer));
  return json;
}

SensitivityFile sensitivity_of_json(const ordered_json& json, const std::string& path) {
  try {
    SensitivityFile file{.conditions = {.checkpoint_sha256 = json.at("checkpoint_sha256").get<std::string>(),
                                        .metric = json.at("metric").get<std::string>(),
                                        .examples = json.at("examples").get<std::int64_t>(),
                                        .bits = json.at("bits").get<std::vector<int>>(),
                                        .hessian = json.at("hessian").get<bool>()},
                         .layers = {}};
    for (const ordered_json& layer : json.at("layers")) file.layers.push_back(layer_of(layer));
    return file;
  } catch (const nlohmann::json::exception& error) {
    throw UsageError("[plan] " + path + ": expected what samebits sensitivity wrote, got \"" + error.what() +
                     "\"; run samebits sensitivity again");
  }
}

}  // namespace samebits::training
