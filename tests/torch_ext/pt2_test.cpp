// load_pt2(): archives of torch.export.save compute what Python computes, bit for bit, and what cannot be
// loaded is refused by name. tests/torch_ext/pt2_models.py writes the archives and what Python gives.
#include "torch_ext/load_pt2.h"

#include <cstdlib>
#include <fstream>

#include "io/safetensors.h"
#include "tests/torch_ext/models.h"
#include "tests/torch_ext/runs.h"
#include "torch_ext/graph/program/program.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

const fs::path& archives() {
  static const fs::path kFolder = fs::temp_directory_path() / ("samebits_pt2_" + std::to_string(getpid()));
  return kFolder;
}

/// Python writes the archives once.
class Archives : public testing::Environment {
 public:
  void SetUp() override {
    const char* chosen = std::getenv("SAMEBITS_PYTHON");
    const std::string python = chosen != nullptr ? chosen : SAMEBITS_TEST_PYTHON;
    const std::string command =
        python + " " SAMEBITS_TEST_SOURCES "/torch_ext/pt2_models.py " + archives().string();
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    at::set_num_threads(1);  // as there
  }
  void TearDown() override { fs::remove_all(archives()); }
};
[[maybe_unused]] const auto* const kArchives = testing::AddGlobalTestEnvironment(new Archives);

using Reference = std::map<std::string, Tensor>;

Reference read_reference(const std::string& name) {
  static const std::map<std::string, torch::ScalarType> kDtypes = {
      {"F32", torch::kFloat}, {"I64", torch::kLong}, {"BOOL", torch::kBool}};
  Reference reference;
  for (const auto& [key, data] : io::read_safetensors(archives() / (name + ".safetensors")).tensors)
    reference[key] =
        torch::from_blob(const_cast<std::uint8_t*>(data.bytes.data()), data.shape, kDtypes.at(data.dtype))
            .clone();
  return reference;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.scalar_type() == b.scalar_type() && (a.is_floating_point() ? same_bits(a, b) : torch::equal(a, b));
}

Tensor loss_of(const Tensors& outputs) {
  Tensor loss;
  for (const Tensor& each : outputs) {
    if (!each.is_floating_point()) continue;
    const Tensor part = each.square().mean();
    loss = loss.defined() ? loss + part : 0 + part;
  }
  return loss;
}

/// The tensors of `reference` below a prefix are those of `got`.
void expect_same(const Reference& reference, const std::string& prefix,
                 const std::map<std::string, Tensor>& got) {
  std::size_t count = 0;
  for (const auto& [key, want] : reference) {
    if (!key.starts_with(prefix)) continue;
    ++count;
    const auto found = got.find(key.substr(prefix.size()));
    ASSERT_NE(found, got.end()) << key;
    EXPECT_TRUE(same(want, found->second)) << key;
  }
  EXPECT_EQ(count, got.size()) << prefix;
}

std::map<std::string, Tensor> by_place(const Tensors& tensors) {
  std::map<std::string, Tensor> named;
  for (const Tensor& each : tensors) named[std::to_string(named.size())] = each.detach();
  return named;
}

std::map<std::string, Tensor> gradients_of(const GraphModule& graph) {
  std::map<std::string, Tensor> gradients;
  for (const auto& each : graph->named_parameters())
    if (each.value().grad().defined()) gradients[each.key()] = each.value().grad();
  return gradients;
}

std::map<std::string, Tensor> buffers_of(const GraphModule& graph) {
  std::map<std::string, Tensor> buffers;
  for (const auto& each : graph->named_buffers()) buffers[each.key()] = each.value();
  return buffers;
}

class LoadPt2 : public ModelTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    ModelTest::SetUp();
    if (!fs::exists(archives() / (std::string(GetParam()) + ".pt2")))
      GTEST_SKIP() << "Python has no torchvision; pip install torchvision";
  }
};
INSTANTIATE_TEST_SUITE_P(Models, LoadPt2,
                         testing::Values("resnet", "mobilenet", "lstm", "gru", "encoder", "gpt", "mixed",
                                         "resnet18", "mobilenet_v3_small", "vit_b_16"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(LoadPt2, ComputesWhatPythonComputes) {
  const Reference reference = read_reference(GetParam());
  const auto load = [] { return load_pt2(archives() / (std::string(GetParam()) + ".pt2")); };
  for (const std::string batch : {"exported.", "other."}) {
    SCOPED_TRACE(batch);
    const Tensor x = reference.at(batch + "x");
    torch::manual_seed(1);
    expect_same(reference, batch + "y.", by_place(load()->forward(Tensors{x})));
    GraphModule graph = load();
    torch::manual_seed(1);
    loss_of(graph->forward(Tensors{x})).backward();
    expect_same(reference, batch + "grad.", gradients_of(graph));
    graph->eval();
    expect_same(reference, batch + "eval.", by_place(graph->forward(Tensors{x})));
    expect_same(reference, batch + "buffer.", buffers_of(graph));
  }
}

TEST_P(LoadPt2, TrainsAsPythonTrains) {
  const Reference reference = read_reference(GetParam());
  GraphModule graph = load_pt2(archives() / (std::string(GetParam()) + ".pt2"));
  torch::optim::SGD optimizer(graph->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  for (const Tensor& want : reference.at("losses").unbind()) {
    optimizer.zero_grad();
    torch::manual_seed(1);
    const Tensor loss = loss_of(graph->forward(Tensors{reference.at("exported.x")}));
    EXPECT_TRUE(same(want, loss.detach()));
    loss.backward();
    optimizer.step();
  }
}

TEST_P(LoadPt2, ShipsTheBitsThatItTrainedOn) {
  if (std::string(GetParam()) == "mixed") return;  // has operators that do not ship
  const Reference reference = read_reference(GetParam());
  GraphModule graph = load_pt2(archives() / (std::string(GetParam()) + ".pt2"));
  const Tensors example = {reference.at("exported.x")}, other = {reference.at("other.x")};
  Prepared prepared = prepare(graph, QConfig::preset("w4a8"), example, {.observe_steps = 1});
  EXPECT_TRUE(prepared.unshippable().empty()) << prepared.report();
  train_steps(graph, 2, 0.001, [&] { return example; });
  ASSERT_EQ(prepared.state(), QuantizerState::kQuantizing);
  const QuantizedModel quantized = convert(graph, example);
  EXPECT_EQ(differing(graph, quantized, example, 2), 0);
  EXPECT_EQ(differing(graph, quantized, other, 1), 0);
}

class LoadPt2File : public ModelTest {};

TEST_F(LoadPt2File, SavesWhatPythonLoads) {
  GraphModule graph = load_pt2(archives() / "gpt.pt2");
  for (Tensor& each : graph->parameters()) each.data().normal_();
  graph->save_state(folder_ / "state.safetensors");
  std::ofstream(folder_ / "check.py") << "import sys\n"
                                         "sys.path.insert(0, sys.argv[1])\n"
                                         "import pt2_models, torch\n"
                                         "from safetensors.torch import load_file\n"
                                         "model = pt2_models.Gpt()\n"
                                         "model.load_state_dict(load_file(sys.argv[2]))\n"
                                         "x = torch.arange(14).reshape(2, 7)\n"
                                         "torch.save(model(x).detach(), sys.argv[3])\n";
  const std::string command = std::string(SAMEBITS_TEST_PYTHON) + " " + (folder_ / "check.py").string() +
                              " " + SAMEBITS_TEST_SOURCES "/torch_ext " +
                              (folder_ / "state.safetensors").string() + " " + (folder_ / "y.pt").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(folder_ / "y.pt", std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Tensor x = torch::arange(14).reshape({2, 7});
  EXPECT_TRUE(same(torch::pickle_load(bytes).toTensor(), graph->forward(x).detach()));
}

TEST_F(LoadPt2File, KnowsModuleAndLineOfEachOperator) {
  const GraphModule graph = load_pt2(archives() / "resnet.pt2");
  const auto& nodes = graph->program().nodes;
  const auto conv = std::find_if(nodes.begin(), nodes.end(), [](const ProgramNode& node) {
    return node.op == "aten::conv2d" && node.scope == "blocks.1.conv2";
  });
  ASSERT_NE(conv, nodes.end());
  EXPECT_THAT(conv->source, testing::ContainsRegex("pt2_models\\.py:[0-9]+$"));
}

TEST_F(LoadPt2File, RegistersATiedWeightOnce) {
  const GraphModule graph = load_pt2(archives() / "gpt.pt2");
  const auto names = graph->named_parameters().keys();
  EXPECT_EQ(std::count(names.begin(), names.end(), "tokens.weight"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "head.weight"), 0);
}

/// The bytes of small.pt2, and a copy in which a text is another of the same length, checksums and all.
std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Archives with one entry rewritten, by Python's zipfile.
void rewrite(const fs::path& from, const fs::path& to, const std::string& entry, const std::string& before,
             const std::string& after) {
  const fs::path script = to.string() + ".py";
  std::ofstream(script) << "import sys, zipfile\n"
                           "source, target, entry, before, after = sys.argv[1:]\n"
                           "with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:\n"
                           "    for name in old.namelist():\n"
                           "        data = old.read(name)\n"
                           "        if name.endswith(entry):\n"
                           "            assert before.encode() in data, (name, before)\n"
                           "            data = data.replace(before.encode(), after.encode())\n"
                           "        new.writestr(name, data)\n";
  const std::string command = std::string(SAMEBITS_TEST_PYTHON) + " " + script.string() + " " +
                              from.string() + " " + to.string() + " '" + entry + "' '" + before + "' '" +
                              after + "'";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

TEST_F(LoadPt2File, RefusesByNameWhatItCannotLoad) {
  const auto error = [](const fs::path& path) { return error_of([&] { load_pt2(path); }); };
  const auto changed = [&](const char* entry, const char* before, const char* after) {
    const fs::path path = folder_ / "changed.pt2";
    rewrite(archives() / "small.pt2", path, entry, before, after);
    return error(path);
  };
  const std::string file = "[pt2] " + (folder_ / "changed.pt2").string() + ": ";
  const std::string again = "; export again with torch 2.9 or later";
  EXPECT_EQ(error(folder_ / "none.pt2"),
            "[pt2] " + (folder_ / "none.pt2").string() + ": expected a file, got none");
  const std::string bytes = bytes_of(archives() / "small.pt2");
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(folder_ / "changed.pt2", std::ios::binary) << bytes.substr(0, size);
    EXPECT_EQ(error(folder_ / "changed.pt2"),
              file + "expected an archive of torch.export.save, got a file that is no whole zip archive");
  }
  EXPECT_EQ(changed("model.json", "\"major\": 8", "\"major\": 9"),
            file + "expected schema version 8, got 9" + again);
  EXPECT_EQ(
      changed("model.json", "\"schema_version\"", "\"version\""),
      file +
          "expected a graph as torch.export.save writes it, got one in which key 'schema_version' not found");
  EXPECT_EQ(changed("model.json", "{", "["), file + "models/model.json: expected JSON, got something else");
  EXPECT_EQ(changed("model_weights_config.json", "\"dtype\": 7", "\"dtype\": 29"),
            file +
                "fc.weight: expected a dtype of integers, bool, float16, bfloat16, float32 or float64, got "
                "number 29 "
                "of torch.export's list");
  EXPECT_EQ(changed("model_weights_config.json", "\"sizes\": [{\"as_int\": 3}, {\"as_int\": 4}]",
                    "\"sizes\": [{\"as_int\": 3}, {\"as_int\": 5}]"),
            file + "fc.weight: expected values for shape [3, 5], got 12 elements");
  EXPECT_EQ(
      changed("model_weights_config.json", "\"use_pickle\": false", "\"use_pickle\": true"),
      file +
          "fc.weight: expected plain bytes, got a pickled tensor subclass; export a model of plain tensors");
  EXPECT_THAT(changed("model.json", "torch.ops.aten.relu.default", "torch.ops.mine.relu.default"),
              testing::MatchesRegex(
                  ".*node relu \\(torch.ops.mine.relu.default\\), .*pt2_models.py:[0-9]+: expected an "
                  "operator that this process has; load the library that defines it"));
  EXPECT_THAT(error(archives() / "cond.pt2"),
              testing::MatchesRegex(
                  ".*cond.pt2: node cond \\(torch.ops.higher_order.cond\\), .*: expected operators on "
                  "tensors, got control flow; write the model without it"));
  EXPECT_EQ(error(archives() / "complex.pt2"), "[pt2] " + (archives() / "complex.pt2").string() +
                                                   ": phase: expected a dtype of integers, bool, float16, "
                                                   "bfloat16, float32 or float64, got number 10 of "
                                                   "torch.export's list");
  EXPECT_EQ(error(archives() / "inference.pt2"),
            "[pt2] " + (archives() / "inference.pt2").string() +
                ": output buffer_mutation: expected training IR, got an inference graph; save what "
                "torch.export.export gives, without run_decompositions()");
}

TEST_F(LoadPt2File, NamesAnInputOfAnotherShape) {
  GraphModule graph = load_pt2(archives() / "small.pt2");
  EXPECT_EQ(error_of([&] {
              graph->forward(torch::randn({2, 5}));
            }),
            "[graph] input 1: expected [batch, 4], got [2, 5]");
}

}  // namespace
}  // namespace samebits
