#include "torch_ext/config/qconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "tests/torch_ext/config_error.h"
#include "torch_ext/config/qconfig_yaml.h"

namespace samebits {
namespace {

QConfig read(const std::string& text) {
  YamlValue map = YamlValue::parse(text, "q.yaml");
  QConfig config = read_qconfig(map);
  map.finish();
  return config;
}

std::string write(const QConfig& config) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  write_qconfig(out, config);
  out << YAML::EndMap;
  return out.c_str();
}

TEST(QScheme, RangesAreNarrowOnlyForSymmetric8BitWeights) {
  struct Case {
    int bits;
    bool symmetric;
    int weight_qmin, activation_qmin, qmax;
  };
  const Case cases[] = {{8, true, -127, -128, 127}, {8, false, -128, -128, 127}, {7, true, -64, -64, 63},
                        {4, true, -8, -8, 7},       {4, false, -8, -8, 7},       {2, true, -2, -2, 1}};
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.bits << " bits, symmetric " << c.symmetric);
    const QScheme scheme{.bits = c.bits, .symmetric = c.symmetric};
    EXPECT_EQ(scheme.weight_qmin(), c.weight_qmin);
    EXPECT_EQ(scheme.activation_qmin(), c.activation_qmin);
    EXPECT_EQ(scheme.qmax(), c.qmax);
  }
}

TEST(GlobMatches, StarIsAnyTextAndQuestionMarkOneCharacter) {
  struct Case {
    const char* glob;
    const char* text;
    bool matches;
  };
  const Case cases[] = {
      {"fc1", "fc1", true},    {"fc1", "fc12", false},   {"fc*", "fc12", true},
      {"fc*", "fc", true},     {"fc.*", "fc1", false},   {"*", "", true},
      {"", "", true},          {"", "a", false},         {"?", "", false},
      {"fc?", "fc1", true},    {"fc?", "fc12", false},   {"*.fc", "encoder.0.fc", true},
      {"*a*b", "aXbXb", true}, {"*a*b", "aXbXc", false}, {"a*b*c", "a.b.b.c", true},
      {"**", "a.b", true},     {"a**", "a", true},       {"?*?", "a", false},
      {"[a]", "a", false},     {"*aab", "aaaab", true},  {"conv?.*", "conv1.weight", true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(glob_matches(c.glob, c.text), c.matches) << c.glob << " on " << c.text;
}

TEST(QConfig, LastMatchingExceptionReplacesTheLayerWhole) {
  QConfig config;
  LayerConfig four_bits, skipped;
  four_bits.weight.bits = 4;
  skipped.skip = true;
  config.layers = {{"fc*", four_bits}, {"*2", skipped}};
  EXPECT_EQ(config.layer("conv1"), config.defaults);
  EXPECT_EQ(config.layer("fc1"), four_bits);
  EXPECT_EQ(config.layer("fc2"), skipped);
}

TEST(QConfig, PresetsAreWhatTheirNamesSay) {
  EXPECT_EQ(QConfig::preset("int8"), QConfig());
  EXPECT_EQ(QConfig::preset("int8").defaults.weight.granularity, Granularity::kPerChannel);
  EXPECT_TRUE(QConfig::preset("int8").defaults.weight.symmetric);
  EXPECT_FALSE(QConfig::preset("int8").defaults.activation.symmetric);
  EXPECT_EQ(QConfig::preset("w4a8"),
            read("weight: {bits: 4, granularity: per_group, group_size: 32, symmetric: true}"));
  const LayerConfig int4 = QConfig::preset("int4").defaults, int2 = QConfig::preset("int2").defaults;
  EXPECT_EQ(scheme_text(int4), "int4 per channel, input int4 affine");
  EXPECT_EQ(scheme_text(int2), "int2 per channel, input int2 affine");
  EXPECT_EQ(QConfig::preset("first_last_8").defaults, int4);
  EXPECT_EQ(QConfig::preset("first_last_8").layer("@ends"), LayerConfig());
  EXPECT_TRUE(QConfig::preset("fp32").defaults.skip);
  for (const char* name : {"int8", "int4", "int2", "w4a8", "first_last_8", "fp32"})
    EXPECT_NO_THROW(QConfig::preset(name).check()) << name;
  EXPECT_THAT([] { QConfig::preset("int9"); }, testing::ThrowsMessage<std::invalid_argument>(
                                                   "[qconfig] preset: expected int8, int4, int2, w4a8, "
                                                   "first_last_8 or fp32, got \"int9\""));
}

TEST(QConfig, CheckNamesTheFieldThatIsWrong) {
  struct Case {
    void (*spoil)(QConfig& config);
    const char* message;
  };
  const Case cases[] = {
      {[](QConfig& c) { c.defaults.weight.bits = 9; },
       "[qconfig] weight.bits: expected an integer in 2..8, got 9; for a float layer set skip"},
      {[](QConfig& c) { c.defaults.activation.bits = 1; },
       "[qconfig] activation.bits: expected an integer in 2..8, got 1; for a float layer set skip"},
      {[](QConfig& c) { c.defaults.weight.granularity = Granularity::kPerGroup; },
       "[qconfig] weight.group_size: expected 32, 64 or 128, got 0"},
      {[](QConfig& c) { c.defaults.weight.group_size = 32; },
       "[qconfig] weight.group_size: expected 0, got 32; only granularity per_group has groups"},
      {[](QConfig& c) { c.defaults.weight.symmetric = false; },
       "[qconfig] weight.symmetric: expected true for 8-bit weights, got false; use 7 bits or symmetric: "
       "true"},
      {[](QConfig& c) { c.defaults.activation.granularity = Granularity::kPerChannel; },
       "[qconfig] activation.granularity: expected per_tensor, got per_channel; an activation has one scale"},
      {[](QConfig& c) { c.defaults.activation.group_size = 32; },
       "[qconfig] activation.group_size: expected 0, got 32; an activation has one scale"},
      {[](QConfig& c) { c.defaults.activation.averaging = 0; },
       "[qconfig] activation.averaging: expected a number > 0 and <= 1, got 0.000000"},
      {[](QConfig& c) { c.defaults.activation.percentile = 0.4; },
       "[qconfig] activation.percentile: expected a number in 0.5..1, got 0.400000"},
      {[](QConfig& c) { c.defaults.ewgs_delta = -1; },
       "[qconfig] ewgs_delta: expected a number in 0..1, got -1.000000"},
      {[](QConfig& c) { c.defaults.activation.averaging = std::numeric_limits<double>::quiet_NaN(); },
       "[qconfig] activation.averaging: expected a number > 0 and <= 1, got nan"},
      {[](QConfig& c) {
         c.layers = {{"fc*", {}}, {"fc*", {}}};
       },
       "[qconfig] layers.\"fc*\": expected each glob once, got it twice; keep one of them"},
      {[](QConfig& c) {
         c.layers = {{"", {}}};
       },
       "[qconfig] layers.\"\": expected a layer path or a glob, got an empty text"},
      {[](QConfig& c) {
         c.layers = {{"fc*", {}}};
         c.layers[0].second.weight.bits = 0;
       },
       "[qconfig] layers.\"fc*\".weight.bits: expected an integer in 2..8, got 0; for a float layer set "
       "skip"},
  };
  EXPECT_NO_THROW(QConfig().check());
  for (const Case& c : cases) {
    QConfig config;
    c.spoil(config);
    EXPECT_THAT([&] { config.check(); }, testing::ThrowsMessage<std::invalid_argument>(c.message));
  }
}

TEST(QConfigYaml, LayersInheritWhatTheyDoNotName) {
  const QConfig config = read(
      "weight: {bits: 5, granularity: per_tensor}\n"
      "activation: {bits: 6, observer: min_max, symmetric: true}\n"
      "backward: bf16\n"
      "layers:\n"
      "  \"fc*\": {weight: {bits: 4, group_size: 64}}\n"
      "  conv1: {skip: true, backward: int8, activation: {observer: moving_average, averaging: 0.5}}\n"
      "  conv2: {}\n");
  EXPECT_EQ(config.defaults.weight.bits, 5);
  EXPECT_TRUE(config.defaults.weight.symmetric);
  EXPECT_EQ(config.defaults.backward, BackwardMode::kBfloat16);
  ASSERT_EQ(config.layers.size(), 3u);

  LayerConfig fc = config.defaults;
  fc.weight.bits = 4;
  fc.weight.granularity = Granularity::kPerGroup;
  fc.weight.group_size = 64;
  EXPECT_EQ(config.layer("fc1"), fc);

  LayerConfig conv1 = config.defaults;
  conv1.skip = true;
  conv1.backward = BackwardMode::kInt8;
  conv1.activation.observer = ObserverKind::kMovingAverage;
  conv1.activation.averaging = 0.5;
  EXPECT_EQ(config.layer("conv1"), conv1);
  EXPECT_EQ(config.layer("conv2"), config.defaults);
}

TEST(QConfigYaml, GranularityAndGroupSizeFollowEachOther) {
  struct Case {
    const char* defaults;
    const char* layer;
    Granularity granularity;
    std::int64_t group_size;
  };
  const Case cases[] = {
      {"{bits: 8}", "{group_size: 128}", Granularity::kPerGroup, 128},
      {"{group_size: 32}", "{granularity: per_channel}", Granularity::kPerChannel, 0},
      {"{group_size: 32}", "{granularity: per_group}", Granularity::kPerGroup, 32},
      {"{group_size: 32}", "{granularity: per_group, group_size: 64}", Granularity::kPerGroup, 64},
      {"{group_size: 32}", "{}", Granularity::kPerGroup, 32},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.defaults << " then " << c.layer);
    const QConfig config =
        read("weight: " + std::string(c.defaults) + "\nlayers: {fc: {weight: " + c.layer + "}}\n");
    EXPECT_EQ(config.layer("fc").weight.granularity, c.granularity);
    EXPECT_EQ(config.layer("fc").weight.group_size, c.group_size);
  }
}

TEST(QConfigYaml, EstimatorsAndObserversAreChosenByLayer) {
  const QConfig config = read(
      "estimator: lsq\n"
      "activation: {observer: percentile, percentile: 0.999}\n"
      "layers:\n"
      "  a: {estimator: lsq_plus, activation: {observer: mse}}\n"
      "  b: {estimator: ewgs, ewgs_delta: 0.5, activation: {observer: kl}}\n"
      "  c: {estimator: pact}\n"
      "  d: {estimator: dorefa}\n"
      "  e: {estimator: ste}\n");
  EXPECT_EQ(config.defaults.estimator, EstimatorKind::kLsq);
  EXPECT_EQ(config.defaults.activation.observer, ObserverKind::kPercentile);
  EXPECT_EQ(config.defaults.activation.percentile, 0.999);
  EXPECT_EQ(config.layer("a").estimator, EstimatorKind::kLsqPlus);
  EXPECT_EQ(config.layer("a").activation.observer, ObserverKind::kLeastError);
  EXPECT_EQ(config.layer("b").estimator, EstimatorKind::kEwgs);
  EXPECT_EQ(config.layer("b").ewgs_delta, 0.5);
  EXPECT_EQ(config.layer("b").activation.observer, ObserverKind::kKl);
  EXPECT_EQ(config.layer("c").estimator, EstimatorKind::kPact);
  EXPECT_EQ(config.layer("d").estimator, EstimatorKind::kDorefa);
  EXPECT_EQ(config.layer("e").estimator, EstimatorKind::kSte);
  EXPECT_EQ(QConfig().defaults.estimator, EstimatorKind::kSte);
}

TEST(QConfig, SchemeTextNamesAnEstimatorThatIsNotSte) {
  LayerConfig layer;
  EXPECT_EQ(scheme_text(layer), "int8 per channel, input int8 affine");
  layer.estimator = EstimatorKind::kLsqPlus;
  EXPECT_EQ(scheme_text(layer), "int8 per channel, input int8 affine, lsq_plus");
}

TEST(QConfigYaml, SkipOfAllCanBeTakenBackByName) {
  const QConfig config = read("skip: true\nlayers: {\"fc*\": {skip: false}}\n");
  EXPECT_TRUE(config.layer("conv1").skip);
  EXPECT_FALSE(config.layer("fc1").skip);
}

struct BadQConfig {
  const char* text;
  const char* message;
};

const BadQConfig kBadQConfigs[] = {
    {"weight: {bits: 9}",
     "[config] q.yaml:1: weight.bits: expected an integer in 2..8, got 9\n  1 | weight: {bits: 9}\n          "
     "           ^"},
    {"weight: {bits: eight}",
     "[config] q.yaml:1: weight.bits: expected an integer in 2..8, got \"eight\"\n"
     "  1 | weight: {bits: eight}\n                     ^"},
    {"weight: 8", "[config] q.yaml:1: weight: expected a map, got 8\n  1 | weight: 8\n              ^"},
    {"weight: {symmetric: false}",
     "[config] q.yaml:1: weight.symmetric: expected true for 8-bit weights, got false; use 7 bits or "
     "symmetric: true\n"
     "  1 | weight: {symmetric: false}\n                          ^"},
    {"weight: {bits: 7, symmetric: false}\nlayers: {fc: {weight: {bits: 8}}}",
     "[config] q.yaml:2: layers.fc.weight.bits: expected an integer in 2..7 for asymmetric weights, got 8; "
     "use 7 bits or symmetric: true\n  2 | layers: {fc: {weight: {bits: 8}}}\n                               "
     "    ^"},
    {"weight: {group_size: 48}",
     "[config] q.yaml:1: weight.group_size: expected 32, 64 or 128, got 48\n"
     "  1 | weight: {group_size: 48}\n                           ^"},
    {"weight: {group_size: 32, granularity: per_channel}",
     "[config] q.yaml:1: weight.granularity: expected per_group beside group_size, got \"per_channel\"; "
     "remove one of the two\n  1 | weight: {group_size: 32, granularity: per_channel}\n"
     "                                            ^"},
    {"weight: {granularity: per_group}",
     "[config] q.yaml:1: weight.granularity: expected a group_size beside per_group, got \"per_group\"; "
     "add group_size: 32, 64 or 128\n  1 | weight: {granularity: per_group}\n                            ^"},
    {"weight: {granularity: per_chanel}",
     "[config] q.yaml:1: weight.granularity: expected per_tensor, per_channel or per_group, got "
     "\"per_chanel\"; "
     "did you mean \"per_channel\"?\n  1 | weight: {granularity: per_chanel}\n                            ^"},
    {"weight: {observer: min_max}",
     "[config] q.yaml:1: weight.observer: unknown key; expected bits, group_size, granularity or symmetric\n"
     "  1 | weight: {observer: min_max}\n               ^"},
    {"activaton: {bits: 8}",
     "[config] q.yaml:1: activaton: unknown key; did you mean \"activation\"?\n  1 | activaton: {bits: 8}\n  "
     "    ^"},
    {"activation: {granularity: per_channel}",
     "[config] q.yaml:1: activation.granularity: expected per_tensor, got \"per_channel\"; an activation has "
     "one scale\n"
     "  1 | activation: {granularity: per_channel}\n                                ^"},
    {"backward: f16",
     "[config] q.yaml:1: backward: expected f32, bf16 or int8, got \"f16\"; did you mean \"bf16\"?\n"
     "  1 | backward: f16\n                ^"},
    {"activation: {averaging: 0}",
     "[config] q.yaml:1: activation.averaging: expected a number > 0 and <= 1, got 0\n"
     "  1 | activation: {averaging: 0}\n                              ^"},
    {"activation: {averaging: .nan}",
     "[config] q.yaml:1: activation.averaging: expected a number > 0 and <= 1, got .nan\n"
     "  1 | activation: {averaging: .nan}\n                              ^"},
    {"activation: {observer: min_max, averaging: 0.1}",
     "[config] q.yaml:1: activation.averaging: expected no averaging with observer min_max, got 0.1; remove "
     "the key\n"
     "  1 | activation: {observer: min_max, averaging: 0.1}\n                                                "
     " ^"},
    {"layers: [fc1]",
     "[config] q.yaml:1: layers: expected a map, got a list\n  1 | layers: [fc1]\n              ^"},
    {"layers: {fc1: {bits: 4}}",
     "[config] q.yaml:1: layers.fc1.bits: unknown key; expected weight, activation, backward, estimator, "
     "ewgs_delta or skip\n"
     "  1 | layers: {fc1: {bits: 4}}\n                     ^"},
    {"layers: {\"fc.*\": {skip: 1}}",
     "[config] q.yaml:1: layers.\"fc.*\".skip: expected true or false, got 1\n"
     "  1 | layers: {\"fc.*\": {skip: 1}}\n                              ^"},
    {"layers: {\"\": {}}",
     "[config] q.yaml:1: layers.\"\": expected a layer path or a glob as the key, got a map\n"
     "  1 | layers: {\"\": {}}\n                   ^"},
    {"layers: {fc1: }",
     "[config] q.yaml:1: layers.fc1: expected a map, got nothing\n  1 | layers: {fc1: }\n               ^"},
};

TEST(QConfigYaml, RefusesWhatPrepareCannotDo) {
  for (const BadQConfig& bad : kBadQConfigs) {
    SCOPED_TRACE(bad.text);
    EXPECT_EQ(config_error([&] { read(bad.text); }), bad.message);
  }
}

// Any LayerConfig that check() accepts. Inherited fields that the scheme does not use stay as `base` has
// them.
LayerConfig random_layer(std::mt19937& random, const LayerConfig& base) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  LayerConfig layer = base;
  layer.weight.bits = 2 + below(7);
  layer.weight.granularity = static_cast<Granularity>(below(3));
  layer.weight.group_size = layer.weight.granularity == Granularity::kPerGroup ? 32 << below(3) : 0;
  layer.weight.symmetric = layer.weight.bits == 8 || below(2) == 0;
  layer.activation.bits = 2 + below(7);
  layer.activation.symmetric = below(2) == 0;
  layer.activation.observer = static_cast<ObserverKind>(below(5));
  if (layer.activation.observer == ObserverKind::kMovingAverage)
    layer.activation.averaging = std::uniform_real_distribution<double>(1e-9, 1)(random);
  if (layer.activation.observer == ObserverKind::kPercentile)
    layer.activation.percentile = std::uniform_real_distribution<double>(0.5, 1)(random);
  layer.estimator = static_cast<EstimatorKind>(below(6));
  if (layer.estimator == EstimatorKind::kEwgs)
    layer.ewgs_delta = std::uniform_real_distribution<double>(0, 1)(random);
  layer.backward = static_cast<BackwardMode>(below(3));
  layer.skip = below(4) == 0;
  return layer;
}

TEST(QConfigYaml, WrittenTextIsReadBackEqual) {
  std::mt19937 random(1);
  const std::vector<std::string> globs = {"*",    "fc*",     "conv?",  "a.b.c", "0",       "true", "~",
                                          "null", "x: y # ", "\"q\\'", "é",     "-",       "[a]",  "{",
                                          "&a",   "*a",      "!t",     "%",     "@",       "`",    "|",
                                          "a\nb", " lead",   "trail ", "a\tb",  "fc.\"*\""};
  for (int i = 0; i < 500; ++i) {
    QConfig config;
    config.defaults = random_layer(random, LayerConfig());
    std::vector<std::string> names = globs;
    std::shuffle(names.begin(), names.end(), random);
    names.resize(random() % 6);
    for (const std::string& name : names)
      config.layers.emplace_back(name, random_layer(random, config.defaults));
    ASSERT_NO_THROW(config.check());
    const std::string text = write(config);
    ASSERT_EQ(read(text), config) << text;
  }
}

}  // namespace
}  // namespace samebits
