// A model as a graph that trains: what capture() and load_pt2() give, and what prepare() and convert() take
// like any other module.
#pragma once

#include <torch/nn/module.h>

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

struct Program;
class ProgramStep;

class GraphModuleImpl : public torch::nn::Module {
 public:
  /// A module of the program's tensors, under their names. With `like` it has that module's submodules, in
  /// their order and modes, so that parameters() and saved files are that module's. Throws c10::Error that
  /// names the node where an operator is unknown.
  explicit GraphModuleImpl(Program program, const torch::nn::Module* like = nullptr);
  ~GraphModuleImpl() override;

  /// The results for the inputs, flat. Throws c10::Error where an input is not of the shape that the graph
  /// was made for; the batch, and where it was asked for the sequence, is free.
  Tensors forward(const Tensors& inputs);
  /// The same of a graph with these inputs and one result.
  torch::Tensor forward(const torch::Tensor& x) { return one_of(Tensors{x}); }
  template <class... More>
  torch::Tensor forward(const torch::Tensor& x, const More&... more) {
    return one_of(Tensors{x, more...});
  }

  /// eval(): no dropout, running statistics are read and not written; each operator follows the submodule
  /// that it belongs to. Throws c10::Error that names an operator which draws random numbers whatever the
  /// mode.
  void train(bool on = true) override;

  // Constants and devices that are written in the graph go along with the parameters.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;
  /// A graph of its own with copies of the tensors; what is tied stays tied.
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

  /// Writes parameters and buffers, each under all of its names, as a safetensors file, which Python's
  /// safetensors.torch.load_file and load_state_dict read. Atomic. Throws std::runtime_error.
  void save_state(const std::filesystem::path& path) const;
  /// Reads such a file. Throws std::runtime_error that names a tensor which is missing, unknown or of another
  /// shape; then nothing is changed.
  void load_state(const std::filesystem::path& path);

  // For the library itself.

  const Program& program() const { return *program_; }
  /// Takes another program of the same inputs and outputs: with layers, which become submodules at their
  /// nodes' scope, or without the ones that there were.
  void set_program(Program program);
  DynamicAxes axes() const;
  /// Gives the submodules the modes of those of the same paths.
  void adopt_modes(const torch::nn::Module& like);

 private:
  torch::Tensor one_of(const Tensors& inputs);
  void register_tensors();
  void register_layers();
  void compile();
  std::array<std::int64_t, 2> checked_sizes(const Tensors& inputs) const;
  void move_constants(const std::function<torch::Tensor(const torch::Tensor&)>& move);
  void move_devices(const torch::Device& device);
  torch::nn::Module& scope(const std::string& path);

  std::unique_ptr<Program> program_;
  std::vector<ProgramStep> steps_;  // point into program_
  torch::Device device_;            // that literals of the program name
};
TORCH_MODULE(GraphModule);

/// Found before the one for any module: a graph knows its axes.
ModelRef model_ref(GraphModuleImpl& graph);

}  // namespace samebits
