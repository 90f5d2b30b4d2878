// samebits-run: a package on arrays in npy files.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <thread>

#include "graph/operator.h"
#include "graph/package.h"
#include "io/atomic_file.h"
#include "io/error.h"
#include "runtime/interpreter.h"
#include "runtime/tools/npy_array.h"

namespace samebits::runtime {
namespace {

enum ExitCode : int { kDone = 0, kWrongUse = 2, kMachineLacks = 3 };

struct Arguments {
  std::string model;
  std::vector<std::string> inputs, outputs;  // FILE, in the model's order, or NAME=FILE
  int threads = 1;
  bool bench = false;
};

/// The files of values, in the order of their names; empty where there is none.
std::vector<std::string> files_of(const std::vector<std::string>& given,
                                  const std::vector<std::string>& names, const char* option) {
  std::vector<std::string> files(names.size());
  std::size_t next = 0;
  for (const std::string& each : given) {
    const std::size_t equals = each.find('=');
    const auto named = std::find(names.begin(), names.end(), each.substr(0, equals));
    const bool has_name = equals != std::string::npos && named != names.end();
    const std::size_t place = has_name ? static_cast<std::size_t>(named - names.begin()) : next++;
    if (place >= names.size())
      io::fail("[samebits-run] ", option, ": expected at most ", names.size(), " files, got \"", each, '"');
    if (!files[place].empty())
      io::fail("[samebits-run] ", option, ": expected one file for ", names[place], ", got \"", each,
               "\" as well");
    files[place] = has_name ? each.substr(equals + 1) : each;
  }
  return files;
}

std::string description(const graph::TensorType& type) {
  return std::string(graph::to_text(type.dtype)) + " " + graph::to_text(type.shape);
}

std::vector<std::string> input_names(const graph::Graph& graph) {
  std::vector<std::string> names;
  for (const graph::Input& input : graph.inputs) names.push_back(input.name);
  return names;
}

/// What the model takes and gives.
void describe(const graph::Graph& graph) {
  std::map<std::string, const graph::TensorType*> types;
  const std::vector<graph::TensorType> all = graph::checked_types(graph);
  std::size_t value = 0;
  for (const graph::Input& input : graph.inputs) types[input.name] = &all[value++];
  for (const graph::Node& node : graph.nodes)
    for (const std::string& output : node.outputs) types[output] = &all[value++];
  for (const graph::Input& input : graph.inputs)
    std::cout << "input   " << input.name << "  " << description(input.type) << '\n';
  for (const std::string& output : graph.outputs)
    std::cout << "output  " << output << "  " << description(*types.at(output)) << '\n';
}

std::vector<Array> read_inputs(const Arguments& arguments, const graph::Graph& graph) {
  const std::vector<std::string> names = input_names(graph),
                                 files = files_of(arguments.inputs, names, "--input");
  std::vector<Array> inputs;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (files[i].empty())
      io::fail("[samebits-run] --input: expected a file for ", names[i], ", ",
               description(graph.inputs[i].type), ", got none");
    inputs.push_back(read_npy(files[i], graph.inputs[i]));
  }
  return inputs;
}

/// Runs for a second or more, after one run that takes the memory.
void bench(Interpreter& interpreter, const std::vector<Array>& inputs, std::vector<Array>& outputs,
           int threads) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times_ms;
  const Clock::time_point begin = Clock::now();
  while (times_ms.size() < 5 || Clock::now() - begin < std::chrono::seconds(1)) {
    const Clock::time_point start = Clock::now();
    interpreter.run(inputs, outputs);
    times_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(times_ms.begin(), times_ms.end());
  const MemoryUse memory = interpreter.memory();
  std::cout << "runs     " << times_ms.size() << "\nthreads  " << threads << "\nmedian   "
            << times_ms[times_ms.size() / 2] << " ms\nfastest  " << times_ms[0] << " ms\nvalues   "
            << memory.values_bytes << " bytes\nscratch  " << memory.scratch_bytes << " bytes\n";
}

int run(const Arguments& arguments) {
  Interpreter interpreter(graph::load_package(arguments.model), arguments.threads);
  const graph::Graph& graph = interpreter.graph();
  if (arguments.inputs.empty() && !graph.inputs.empty()) {
    if (!arguments.outputs.empty() || arguments.bench) read_inputs(arguments, graph);
    describe(graph);
    return kDone;
  }
  const std::vector<std::string> files = files_of(arguments.outputs, graph.outputs, "--output");
  const std::vector<Array> inputs = read_inputs(arguments, graph);
  std::vector<Array> outputs;
  interpreter.run(inputs, outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!files[i].empty()) write_npy(files[i], outputs[i]);
    std::cout << graph.outputs[i] << "  " << graph::to_text(outputs[i].dtype) << ' '
              << io::to_text(outputs[i].shape) << (files[i].empty() ? "" : "  " + files[i]) << '\n';
  }
  if (arguments.bench) bench(interpreter, inputs, outputs, arguments.threads);
  return kDone;
}

/// Standard output that does not reach its place is no output.
int guarded(const Arguments& arguments) {
  try {
    const int code = run(arguments);
    if (std::cout.flush()) return code;
    std::cerr << "error: [samebits-run] expected standard output to take what is printed, got an error\n";
    return kMachineLacks;
  } catch (const io::WriteError& error) {
    std::cerr << "error: " << error.what() << '\n';
    return kMachineLacks;
  } catch (const std::bad_alloc&) {
    std::cerr << "error: [samebits-run] expected more memory than this machine gives; run fewer items\n";
    return kMachineLacks;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return kWrongUse;
  }
}

int run_command_line(int argc, char** argv) {
  Arguments arguments;
  arguments.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  CLI::App app(
      "Runs a package on arrays in npy files. Without --input it says what the model takes and gives.",
      "samebits-run");
  app.add_option("MODEL", arguments.model, "a package, NAME.samebits")->required();
  app.add_option("--input", arguments.inputs, "FILE, in the model's order, or NAME=FILE; once for each input")
      ->allow_extra_args(false);
  app.add_option("--output", arguments.outputs, "FILE or NAME=FILE for an output that is to be written")
      ->allow_extra_args(false);
  app.add_option("--threads", arguments.threads, "how many threads compute")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_flag("--bench", arguments.bench, "run again for a second: times and memory");
  app.set_version_flag("--version", SAMEBITS_VERSION);
  app.footer(
      "Example: samebits-run net.samebits --input x.npy --output y.npy --threads 2 --bench\n"
      "Exit code 0: done; 2: wrong use, or a wrong file; 3: the machine lacks something.");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("error: [samebits-run] ") + error.what() + "; samebits-run --help shows an example\n";
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUse;
  }
  return guarded(arguments);
}

}  // namespace
}  // namespace samebits::runtime

int main(int argc, char** argv) {
  return samebits::runtime::run_command_line(argc, argv);
}
