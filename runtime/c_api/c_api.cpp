// Every function's body runs in guarded(), which no exception leaves.
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <system_error>

#include "graph/package.h"
#include "io/error.h"
#include "runtime/interpreter.h"
#include "samebits/runtime.h"

struct samebits_model {
  samebits::graph::Graph graph;
};

struct samebits_runner {
  samebits::runtime::Interpreter interpreter;
  std::vector<samebits::runtime::Array> inputs, outputs;
  bool has_run = false;
};

namespace {

using samebits::runtime::Array;

/// A mistake of the caller's.
struct BadArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr int kMaxThreads = 1024;
constexpr std::size_t kMaxRank = 64;

/// The text may not fit memory either.
std::string& last_error() {
  thread_local std::string text;
  return text;
}

samebits_status failed(samebits_status status, const char* text) noexcept {
  try {
    last_error() = text;
  } catch (...) {
    last_error().clear();
  }
  return status;
}

/// Runs `body`; what it throws becomes a status, std::runtime_error `expected`.
template <class Body>
samebits_status guarded(samebits_status expected, const Body& body) noexcept {
  try {
    last_error().clear();
    body();
    return SAMEBITS_OK;
  } catch (const BadArgument& error) {
    return failed(SAMEBITS_BAD_ARGUMENT, error.what());
  } catch (const std::system_error& error) {  // of files, or of threads that there are too many of
    const bool is_thread = error.code() == std::errc::resource_unavailable_try_again;
    return failed(is_thread ? SAMEBITS_OUT_OF_MEMORY : expected, error.what());
  } catch (const std::runtime_error& error) {
    return failed(expected, error.what());
  } catch (const std::invalid_argument& error) {
    return failed(SAMEBITS_BAD_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return failed(SAMEBITS_OUT_OF_MEMORY, "[runtime] expected memory for the call, got none");
  } catch (const std::length_error&) {  // of more than there can be
    return failed(SAMEBITS_OUT_OF_MEMORY, "[runtime] expected memory for the call, got none");
  } catch (const std::exception& error) {
    return failed(SAMEBITS_INTERNAL, error.what());
  } catch (...) {
    return failed(SAMEBITS_INTERNAL, "[runtime] expected a result, got an unknown exception");
  }
}

template <class... Parts>
void expect(bool holds, const Parts&... parts) {
  if (!holds) throw BadArgument(samebits::io::join("[runtime] ", parts...));
}

/// Copies an array of the caller's, once its sizes make sense.
void read_input(const samebits_array& from, std::size_t index, Array& to) {
  expect(from.rank <= kMaxRank && (from.sizes != nullptr || from.rank == 0), "inputs[", index,
         "].sizes: expected at most ", kMaxRank, " sizes, got ", from.sizes == nullptr ? "null" : "more");
  std::int64_t count = 1;
  bool fits = true;
  to.shape.clear();
  for (std::size_t axis = 0; axis < from.rank; ++axis) {
    const std::int64_t size = from.sizes[axis];
    to.shape.push_back(size);
    fits = fits && size >= 0 && !__builtin_mul_overflow(count, size, &count);
  }
  expect(fits && count <= std::numeric_limits<std::ptrdiff_t>::max() / std::ptrdiff_t{sizeof(float)},
         "inputs[", index, "].sizes: expected sizes >= 0 that memory can hold, got ",
         samebits::io::to_text(to.shape));
  expect(from.values != nullptr || count == 0, "inputs[", index, "].values: expected ", count,
         " values, got null");
  to.values.assign(from.values, from.values + count);
}

/// The arrays of this interface are of floats.
void expect_floats(const samebits::graph::Graph& graph) {
  namespace graph_ns = samebits::graph;
  const std::vector<graph_ns::TensorType> types = graph_ns::checked_types(graph);
  std::map<std::string, graph_ns::Dtype> dtypes;
  std::size_t value = 0;
  for (const graph_ns::Input& input : graph.inputs) dtypes[input.name] = types[value++].dtype;
  for (const graph_ns::Node& node : graph.nodes)
    for (const std::string& output : node.outputs) dtypes[output] = types[value++].dtype;
  const auto check = [&](const std::string& name) {
    if (dtypes.at(name) != graph_ns::Dtype::kFloat32)
      samebits::io::fail("[runtime] ", name, ": expected float32, got ", graph_ns::to_text(dtypes.at(name)),
                         "; use the C++ interface or samebits-run");
  };
  for (const graph_ns::Input& input : graph.inputs) check(input.name);
  for (const std::string& output : graph.outputs) check(output);
}

const char* name_at(const std::vector<std::string>& names, std::size_t index) {
  return index < names.size() ? names[index].c_str() : nullptr;
}

}  // namespace

extern "C" {

const char* samebits_version(void) {
  return SAMEBITS_VERSION;
}

const char* samebits_last_error(void) {
  return last_error().c_str();
}

samebits_status samebits_model_load(const char* folder, samebits_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded(SAMEBITS_BAD_FILE, [&] {
    expect(folder != nullptr, "folder: expected a path, got null");
    expect(model != nullptr, "model: expected where to put it, got null");
    *model = new samebits_model{samebits::graph::load_package(folder)};
  });
}

void samebits_model_free(samebits_model* model) {
  delete model;
}

size_t samebits_model_inputs(const samebits_model* model) {
  return model == nullptr ? 0 : model->graph.inputs.size();
}

size_t samebits_model_outputs(const samebits_model* model) {
  return model == nullptr ? 0 : model->graph.outputs.size();
}

const char* samebits_model_input_name(const samebits_model* model, size_t index) {
  return index < samebits_model_inputs(model) ? model->graph.inputs[index].name.c_str() : nullptr;
}

const char* samebits_model_output_name(const samebits_model* model, size_t index) {
  return model == nullptr ? nullptr : name_at(model->graph.outputs, index);
}

samebits_status samebits_model_input_sizes(const samebits_model* model, size_t index, int64_t* sizes,
                                           size_t capacity, size_t* rank) {
  return guarded(SAMEBITS_INTERNAL, [&] {
    expect(model != nullptr, "model: expected one, got null");
    expect(rank != nullptr, "rank: expected where to put it, got null");
    expect(sizes != nullptr || capacity == 0, "sizes: expected room for ", capacity, " sizes, got null");
    expect(index < model->graph.inputs.size(), "index: expected one of ", model->graph.inputs.size(),
           " inputs, got ", index);
    const samebits::graph::Shape& shape = model->graph.inputs[index].type.shape;
    *rank = shape.size();
    for (std::size_t axis = 0; axis < shape.size() && axis < capacity; ++axis)
      sizes[axis] = shape[axis].is_number() ? shape[axis].offset : -1;
  });
}

samebits_status samebits_runner_create(const samebits_model* model, int threads, samebits_runner** runner) {
  if (runner != nullptr) *runner = nullptr;
  return guarded(SAMEBITS_BAD_FILE, [&] {
    expect(model != nullptr, "model: expected one, got null");
    expect(runner != nullptr, "runner: expected where to put it, got null");
    expect_floats(model->graph);
    expect(threads >= 1 && threads <= kMaxThreads, "threads: expected 1 to ", kMaxThreads, ", got ", threads);
    *runner = new samebits_runner{.interpreter = samebits::runtime::Interpreter(model->graph, threads),
                                  .inputs = std::vector<Array>(model->graph.inputs.size()),
                                  .outputs = {}};
  });
}

void samebits_runner_free(samebits_runner* runner) {
  delete runner;
}

samebits_status samebits_runner_run(samebits_runner* runner, const samebits_array* inputs, size_t count) {
  return guarded(SAMEBITS_BAD_INPUT, [&] {
    expect(runner != nullptr, "runner: expected one, got null");
    expect(inputs != nullptr || count == 0, "inputs: expected ", count, " arrays, got null");
    runner->has_run = false;
    expect(count == runner->inputs.size(), "count: expected ", runner->inputs.size(), " inputs, got ", count);
    for (std::size_t i = 0; i < count; ++i) read_input(inputs[i], i, runner->inputs[i]);
    runner->interpreter.run(runner->inputs, runner->outputs);
    runner->has_run = true;
  });
}

samebits_status samebits_runner_output(const samebits_runner* runner, size_t index, samebits_array* output) {
  return guarded(SAMEBITS_INTERNAL, [&] {
    expect(runner != nullptr, "runner: expected one, got null");
    expect(output != nullptr, "output: expected where to put it, got null");
    expect(runner->has_run, "runner: expected a run before its outputs are asked for, got none");
    expect(index < runner->outputs.size(), "index: expected one of ", runner->outputs.size(),
           " outputs, got ", index);
    const Array& y = runner->outputs[index];
    *output = {y.values.data(), y.shape.data(), y.shape.size()};
  });
}

}  // extern "C"
