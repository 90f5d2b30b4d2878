// The header as a whole: what it says of itself, the declaration, and behind NAME_IMPLEMENTATION everything
// else.
#include "export/c_header/export_c_header.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "export/c_header/c_node.h"
#include "io/atomic_file.h"
#include "io/error.h"

namespace samebits {
namespace {

using graph::Graph;
using graph::GraphError;

constexpr std::int64_t kMaxBytes = 16 << 20;  // of arrays, and of values

void check_size(const char* what, std::int64_t bytes) {
  if (bytes > kMaxBytes)
    throw GraphError(io::join("expected at most ", kMaxBytes, " bytes of ", what, ", got ", bytes,
                              "; save a package instead"));
}

/// Writes the steps, and results that no step writes.
void write_body(const Graph& graph, const CPlan& plan, const std::vector<std::string>& arguments, CText& c) {
  for (const CStep& step : plan.steps) {
    CForm* form = c_form_of(*step.node->op);
    if (form == nullptr)
      fail_node(*step.node, "expected one of ", c_form_names(), ", got ", step.node->op->name,
                "; save a package instead");
    form({step, plan, graph, c});
    check_size("arrays", c.array_bytes());
  }
  for (std::size_t i = 0; i < plan.results.size(); ++i) {
    // An input, or a value that is a result twice, is not where it is wanted.
    const std::string& argument = arguments[graph.inputs.size() + i];
    const CValue& value = plan.values[plan.results[i]];
    if (value.text != argument)
      c.line(io::join(c.use("copy"), "(", value.text, ", ", value.count, ", ", argument, ");"));
  }
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

/// "const float input_x[784], float output_y[10]".
std::string parameters(const Graph& graph, const CPlan& plan, const std::vector<std::string>& arguments) {
  std::string text;
  const auto add = [&](const char* type, const std::string& name, std::int64_t count) {
    text += io::join(text.empty() ? "" : ", ", type, name, "[", count, "]");
  };
  const std::size_t inputs = graph.inputs.size();
  for (std::size_t i = 0; i < inputs; ++i) add("const float ", arguments[i], plan.values[i].count);
  for (std::size_t i = 0; i < plan.results.size(); ++i)
    add("float ", arguments[inputs + i], plan.values[plan.results[i]].count);
  return text;
}

/// Printable ASCII that ends no comment.
std::string comment_text(const std::string& text) {
  std::string safe;
  for (const char c : text) safe.push_back(c >= ' ' && c <= '~' && c != '*' && c != '\\' ? c : '_');
  return safe;
}

std::string nodes_text(const Graph& graph) {
  std::string text;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    text += io::join(" *   ", i + 1, "  ", graph.nodes[i].op->name, "  ", comment_text(graph.nodes[i].name),
                     "\n");
  return text;
}

std::string memory_text(const std::string& prefix, std::int64_t bytes) {
  if (bytes == 0) return "";
  return io::join("\n/* Values that do not live at the same time share it. */\nstatic float ", prefix,
                  "_memory[", bytes / static_cast<std::int64_t>(sizeof(float)), "];\n");
}

/// `text` with each @FIELD@ replaced.
std::string filled(std::string_view text, const std::map<std::string_view, std::string>& fields) {
  std::string result;
  for (std::size_t at; (at = text.find('@')) != std::string_view::npos;) {
    const std::size_t end = text.find('@', at + 1);
    result += std::string(text.substr(0, at)) + fields.at(text.substr(at + 1, end - at - 1));
    text.remove_prefix(end + 1);
  }
  return result + std::string(text);
}

std::string header_of(const Graph& graph) {
  const std::string prefix = c_identifier(graph.name.empty() ? "model" : graph.name);
  const CPlan plan = plan_c(graph, prefix + "_memory");
  check_size("values", plan.bytes);
  const std::vector<std::string> arguments = c_arguments(graph);
  CText c(prefix);
  write_body(graph, plan, arguments, c);
  const std::map<std::string_view, std::string> fields = {
      {"NAME", comment_text(graph.name)},
      {"VERSION", SAMEBITS_VERSION},
      {"MACRO", upper(prefix)},
      {"ARRAY_BYTES", std::to_string(c.array_bytes())},
      {"MEMORY_BYTES", std::to_string(plan.bytes)},
      {"NODES", nodes_text(graph)},
      {"FUNCTION", "int " + prefix + "_run(" + parameters(graph, plan, arguments) + ")"},
      {"PARTS", c.parts()},
      {"CONSTANTS", c.constants()},
      {"MEMORY", memory_text(prefix, plan.bytes)},
      {"BODY", c.body()},
  };
  return filled(c_parts().front().text, fields);
}

}  // namespace

std::string c_header(const Graph& graph, const std::string& where) {
  graph::check(graph);
  try {
    return header_of(graph);
  } catch (const GraphError& error) {
    io::fail(where, ": ", error.what());
  }
}

void export_c_header(const Graph& graph, const std::filesystem::path& path) {
  io::write_file_atomically(path, c_header(graph, "[c_header] " + path.string()));
}

}  // namespace samebits
