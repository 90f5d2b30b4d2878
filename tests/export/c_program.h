// Headers compiled into one C program that runs them on inputs: what the tests of export/c_header share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "export/c_header/export_c_header.h"
#include "graph/graph.h"
#include "io/error.h"
#include "runtime/array.h"
#include "tests/io/test_files.h"

namespace samebits {

/// One item of one model, and what its function gave.
struct CRun {
  const graph::Graph* graph;  // whose name is a C identifier
  std::vector<runtime::Array> inputs;
  int result = -1;
  std::vector<std::vector<float>> outputs;
};

inline std::int64_t count_of(const graph::Graph& graph, const std::string& value) {
  const std::vector<graph::TensorType> types = graph::checked_types(graph);
  std::vector<std::string> names;
  for (const graph::Input& input : graph.inputs) names.push_back(input.name);
  for (const graph::Node& node : graph.nodes)
    names.insert(names.end(), node.outputs.begin(), node.outputs.end());
  const auto found = std::find(names.begin(), names.end(), value) - names.begin();
  std::int64_t count = 1;
  for (const std::int64_t size : graph::sizes_at(types[static_cast<std::size_t>(found)].shape, {1, 1}))
    count *= size;
  return count;
}

/// Includes every header once; its main() runs each CRun in order, floats from stdin to stdout.
inline std::string c_main(const std::vector<CRun>& runs) {
  std::string includes = "#include <stdio.h>\n", body, last;
  for (const CRun& run : runs) {
    const std::string& name = run.graph->name;
    std::string macro = name;
    for (char& c : macro) c = static_cast<char>(std::toupper(c));
    if (name != last) includes += "#define " + macro + "_IMPLEMENTATION\n#include \"" + name + ".h\"\n";
    last = name;
    std::string arguments, reads, writes, buffers;
    const auto add = [&](const std::string& buffer, std::int64_t count, std::string& to, const char* call) {
      const std::string n = std::to_string(count);
      buffers += "    static float " + buffer + "[" + n + "];\n";
      to += io::join("    if (", call, '(', buffer, ", sizeof(float), ", n, ", ",
                     &to == &reads ? "stdin" : "stdout", ") != ", n, ") return 1;\n");
      arguments += (arguments.empty() ? "" : ", ") + buffer;
    };
    for (std::size_t i = 0; i < run.graph->inputs.size(); ++i)
      add(io::join('x', i), count_of(*run.graph, run.graph->inputs[i].name), reads, "fread");
    for (std::size_t i = 0; i < run.graph->outputs.size(); ++i)
      add(io::join('y', i), count_of(*run.graph, run.graph->outputs[i]), writes, "fwrite");
    body += "  {\n" + buffers + "    int result;\n" + reads + "    result = " + name + "_run(" + arguments +
            ");\n    if (fwrite(&result, sizeof(result), 1, stdout) != 1) return 1;\n" + writes + "  }\n";
  }
  return includes + "\nint main(void) {\n" + body + "  return 0;\n}\n";
}

/// Compiles and runs; runs of one model stand together. Fails the test when it cannot.
inline void run_in_c(const std::string& flags, std::vector<CRun>& runs) {
  const TestFolder folder;
  std::string input;
  for (const CRun& run : runs) {
    export_c_header(*run.graph, folder.path() / (run.graph->name + ".h"));
    for (const runtime::Array& x : run.inputs)
      input.append(reinterpret_cast<const char*>(x.values.data()), x.values.size() * sizeof(float));
  }
  write_all(folder / "main.c", c_main(runs));
  write_all(folder / "input", input);
  const std::string at = folder.path().string();
  const std::string compile = std::string(SAMEBITS_C_COMPILER) +
                              " -std=c99 -ffp-contract=off -Wall -Wextra -Werror " + flags + " " + at +
                              "/main.c -o " + at + "/main -lm 2> " + at + "/errors";
  ASSERT_EQ(std::system(compile.c_str()), 0) << compile << "\n"
                                             << read_all(folder / "errors").substr(0, 3000);
  ASSERT_EQ(std::system((at + "/main < " + at + "/input > " + at + "/output").c_str()), 0);
  const std::string output = read_all(folder / "output");
  std::size_t offset = 0;
  const auto take = [&](void* to, std::size_t bytes) {
    ASSERT_LE(offset + bytes, output.size());
    std::memcpy(to, output.data() + offset, bytes);
    offset += bytes;
  };
  for (CRun& run : runs) {
    take(&run.result, sizeof(run.result));
    for (const std::string& name : run.graph->outputs) {
      run.outputs.emplace_back(static_cast<std::size_t>(count_of(*run.graph, name)));
      take(run.outputs.back().data(), run.outputs.back().size() * sizeof(float));
    }
  }
  EXPECT_EQ(offset, output.size());
}

}  // namespace samebits
