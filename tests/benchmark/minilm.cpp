// A real sentence encoder after training: all-MiniLM-L6-v2 from an archive of torch.export, quantized to int8 by
// calibration, exported, and run without torch. Size, time, likeness of its vectors, and the proof of its bits.
// FOLDER is what minilm.py wrote: benchmark_minilm FOLDER --json FILE
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "graph/package.h"
#include "include/samebits/samebits.h"
#include "io/safetensors.h"
#include "runtime/interpreter.h"
#include "tests/benchmark/measure.h"
#include "torch_ext/graph/replay.h"

namespace samebits::benchmark {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

constexpr std::int64_t kBatch = 32;
constexpr int kSteps = 100, kTrainBatch = 16;
constexpr double kLearningRate = 1e-5;

Tensor ids_of(const io::SafetensorsFile& file, const std::string& name) {
  const io::TensorData& data = file.tensors.at(name);
  Tensor ids = torch::empty(data.shape, torch::kLong);
  std::memcpy(ids.mutable_data_ptr(), data.bytes.data(), data.bytes.size());
  return ids;
}

Tensor vectors(GraphModule& model, const Tensor& ids) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> parts;
  for (const Tensor& batch : ids.split(kBatch)) parts.push_back(model->forward(batch));
  return torch::cat(parts);
}

/// How two lists agree in order: Spearman's coefficient.
double spearman(const Tensor& a, const Tensor& b) {
  const auto ranks = [](const Tensor& x) { return x.argsort().argsort().to(torch::kDouble); };
  const Tensor left = ranks(a) - ranks(a).mean(), right = ranks(b) - ranks(b).mean();
  return ((left * right).sum() / (left.norm() * right.norm())).item<double>();
}

/// Cosines between the first sentence of each pair and the second; the vectors have length 1.
Tensor pair_cosines(const Tensor& x) {
  const std::int64_t half = x.size(0) / 2;
  return (x.narrow(0, 0, half) * x.narrow(0, half, half)).sum(1);
}

std::int64_t float_bytes(const torch::nn::Module& model) {
  std::int64_t bytes = 0;
  for (const Tensor& each : model.parameters()) bytes += static_cast<std::int64_t>(each.nbytes());
  return bytes;
}

std::int64_t folder_bytes(const fs::path& folder) {
  std::int64_t bytes = 0;
  for (const auto& each : fs::recursive_directory_iterator(folder))
    bytes += static_cast<std::int64_t>(each.file_size());
  return bytes;
}

void add_likeness(Table& table, const std::string& variant, const Tensor& exact, const Tensor& quantized) {
  const Tensor cosines = (exact * quantized).sum(1);
  const auto add = [&](const char* metric, double value) {
    table.add({"MiniLM", variant, metric, value, "", "", 1.0});
  };
  add("mean cosine with FP32", cosines.mean().item<double>());
  add("least cosine with FP32", cosines.min().item<double>());
  add("rank agreement of pairs (Spearman)", spearman(pair_cosines(exact), pair_cosines(quantized)));
}

/// QAT: steps that bring the vectors nearer to those of the float model, on integers.
void train(GraphModule& model, GraphModule& teacher, const Tensor& ids) {
  const torch::AutoGradMode with_gradients(true);
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(kLearningRate));
  for (int step = 0; step < kSteps; ++step) {
    const Tensor x = ids.index_select(0, torch::randint(ids.size(0), {kTrainBatch}, torch::kLong));
    const Tensor target = vectors(teacher, x);
    optimizer.zero_grad();
    (1 - (model->forward(x) * target).sum(1)).mean().backward();
    optimizer.step();
  }
}

/// Calibrated on `ids` and frozen.
void quantize(GraphModule& model, const Tensor& ids) {
  const ModelRef ref = model_ref(*model);
  QConfig config;
  config.embedding_bits = 8;
  Prepared prepared = prepare(ref, config, Tensors{ids.narrow(0, 0, 3)}, {.observe_steps = 0});
  PostTrainingQuantizer quantizer(
      ref, prepared, {.range = RangeRule::kLeastError, .rounding = Rounding::kGptq, .corrects_bias = true});
  const std::vector<Tensor> batches = ids.split(kBatch);
  quantizer.calibrate(static_cast<std::int64_t>(batches.size()),
                      [&](std::int64_t i) { return batches[static_cast<std::size_t>(i)]; });
  quantizer.quantize_weights();
  quantizer.freeze();
}

void compare_times(Table& table, GraphModule& in_float, GraphModule& on_integers, const fs::path& package,
                   const Tensor& ids) {
  for (const std::int64_t batch : {std::int64_t{1}, kBatch}) {
    const Tensor x = ids.narrow(0, 0, batch);
    runtime::Interpreter interpreter(graph::load_package(package), at::get_num_threads());
    const std::vector<runtime::Array> inputs = {array_of(x)};
    std::vector<runtime::Array> outputs;
    const std::vector<double> seconds =
        interleaved_minimum({{"FP32, LibTorch", [&] { in_float->forward(x); }},
                             {"int8, training forward", [&] { on_integers->forward(x); }},
                             {"int8, runtime", [&] { interpreter.run(inputs, outputs); }}},
                            batch == 1 ? 100 : 20);
    const std::string name = "MiniLM, " + std::to_string(batch) + " x 64 tokens";
    const char* variants[] = {"FP32, LibTorch", "int8, training forward", "int8, runtime"};
    for (int i = 0; i < 3; ++i)
      table.add({name, variants[i], "inference", 1e3 * seconds[i], "ms", "FP32, LibTorch",
                 seconds[i] / seconds[0]});
  }
}

int run(const fs::path& folder, Table& table) {
  const torch::NoGradGuard no_grad;
  const io::SafetensorsFile file = io::read_safetensors(folder / "ids.safetensors");
  const Tensor test = ids_of(file, "test");
  GraphModule in_float = load_pt2(folder / "model.pt2"), on_integers = load_pt2(folder / "model.pt2");
  in_float->eval();
  torch::manual_seed(1);
  const Tensor exact = vectors(in_float, test), calibration = ids_of(file, "calibration");
  quantize(on_integers, calibration);
  on_integers->eval();
  add_likeness(table, "int8, calibrated", exact, vectors(on_integers, test));
  train(on_integers, in_float, calibration);
  add_likeness(table, "int8, and 100 steps of QAT", exact, vectors(on_integers, test));
  const fs::path package = folder / "model.samebits";
  convert(model_ref(*on_integers), Tensors{test.narrow(0, 0, 3)}, "minilm").save(package);
  const VerifyReport report = verify(model_ref(*on_integers), package, test.split(kBatch));
  std::printf("%s\n", report.text().c_str());
  const double bytes = static_cast<double>(float_bytes(*in_float));
  const double shipped = static_cast<double>(folder_bytes(package));
  table.add({"MiniLM", "FP32", "size", bytes / 1e6, "MB", "FP32", 1.0});
  table.add({"MiniLM", "package", "size", shipped / 1e6, "MB", "FP32", shipped / bytes});
  table.add({"MiniLM", "package beside training forward", "differing elements",
             static_cast<double>(report.differing), "of " + std::to_string(report.logits), "", 1.0});
  compare_times(table, in_float, on_integers, package, test);
  return report.differing == 0 ? 0 : 1;
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: benchmark_minilm FOLDER [--json FILE]\n");
    return 2;
  }
  samebits::benchmark::Table table(argc - 1, argv + 1);
  return samebits::benchmark::run(argv[1], table);
}
