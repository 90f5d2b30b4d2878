// Events of yaml-cpp become nodes; messages about them get their line and caret.
#include "torch_ext/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace samebits {
namespace {

using Node = YamlValue::Node;
using Kind = Node::Kind;

// The line with a caret below. Columns count bytes; the caret line repeats tabs and skips the continuation
// bytes of UTF-8, so that both lines are equally wide on screen.
std::string excerpt(const std::string& line, std::size_t number, std::size_t column) {
  const std::string margin = "  " + std::to_string(number) + " | ";
  std::string caret_line(margin.size(), ' ');
  for (const char c : line.substr(0, column)) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
    if (!continues) caret_line += c == '\t' ? '\t' : ' ';
  }
  return margin + line + "\n" + caret_line + "^";
}

std::string in_quotes(const std::string& text) {
  constexpr std::size_t kLongest = 60;
  return "\"" + (text.size() <= kLongest ? text : text.substr(0, kLongest) + "…") + "\"";
}

// Builds nodes from the parser's events, duplicates and all. Only what a Node cannot hold is an error here.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::shared_ptr<const YamlSource> source) : source_(std::move(source)) {}
  std::shared_ptr<Node> root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) throw_config_error(*source_, mark, "", "expected one document, got a second; remove \"---\"");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(make(Kind::kNull, mark, "?")); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw_config_error(*source_, mark, "", "expected a value, got an alias; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    const std::shared_ptr<Node> node = make(Kind::kScalar, mark, tag);
    node->text = text;
    node->quoted = tag == "!";
    add(node);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open_.push_back({make(Kind::kList, mark, tag), nullptr});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open_.push_back({make(Kind::kMap, mark, tag), nullptr});
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<Node> node;
    std::shared_ptr<Node> key;  // of a map, once the key is read and until its value is
  };

  std::shared_ptr<Node> make(Kind kind, const YAML::Mark& mark, const std::string& tag) const {
    const bool is_untagged = tag.empty() || tag == "?" || tag == "!";  // "!" is how yaml-cpp marks quotes
    if (!is_untagged)
      throw_config_error(*source_, mark, "", "expected a value without a tag, got " + in_quotes(tag));
    const auto node = std::make_shared<Node>();
    node->kind = kind;
    node->source = source_;
    node->mark = mark;
    return node;
  }
  void close() {
    const std::shared_ptr<Node> node = open_.back().node;
    open_.pop_back();
    add(node);
  }
  void add(const std::shared_ptr<Node>& node) {
    if (open_.empty()) {
      root_ = node;
      return;
    }
    Open& parent = open_.back();
    if (parent.node->kind == Kind::kList) {
      node->key_mark = node->mark;
      parent.node->children.emplace_back("", node);
    } else if (!parent.key) {
      if (node->kind != Kind::kScalar)
        throw_config_error(
            *source_, node->mark, "",
            "expected a key, got " + std::string(node->kind == Kind::kNull ? "nothing" : describe(*node)));
      parent.key = node;
    } else {
      node->key_mark = parent.key->mark;
      parent.node->add(parent.key->text, node);
      parent.key = nullptr;
    }
  }

  std::shared_ptr<const YamlSource> source_;
  std::shared_ptr<Node> root_;
  std::vector<Open> open_;
};

// yaml-cpp reports a tab in many ways, some of them far from it.
bool has_tab_indentation(const YamlSource& source) {
  return std::any_of(source.lines.begin(), source.lines.end(), [](const std::string& line) {
    const std::size_t first = line.find_first_not_of(' ');
    return first != std::string::npos && line[first] == '\t';
  });
}

// The bytes of the UTF-8 character at `i`, or 0 when there is none. Control characters but tab and the ends
// of lines are none that YAML allows.
std::size_t character_bytes(const std::string& text, std::size_t i) {
  const auto first = static_cast<unsigned char>(text[i]);
  const bool is_control = first < 0x20 && first != '\t' && first != '\n' && first != '\r';
  if (first < 0x80) return is_control || first == 0x7F ? 0 : 1;
  const std::size_t bytes = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (bytes == 0 || i + bytes > text.size()) return 0;
  for (std::size_t k = 1; k < bytes; ++k)
    if ((static_cast<unsigned char>(text[i + k]) & 0xC0u) != 0x80u) return 0;
  const auto second = static_cast<unsigned char>(text[i + 1]);
  const bool is_outside = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                          (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return is_outside ? 0 : bytes;
}

void expect_printable(const std::string& text, const YamlSource& source, const std::string& path) {
  YAML::Mark mark;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = character_bytes(text, i);
    if (bytes == 0) {
      constexpr const char* kHex = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(text[i]);
      throw_config_error(
          source, mark, path,
          std::string("expected printable UTF-8, got the byte 0x") + kHex[byte / 16] + kHex[byte % 16]);
    }
    mark.column = text[i] == '\n' ? 0 : mark.column + static_cast<int>(bytes);
    mark.line += text[i] == '\n' ? 1 : 0;
    i += bytes;
  }
}

std::string child_path(const Node& parent, std::size_t index) {
  if (parent.kind == Kind::kList) return parent.path + "[" + std::to_string(index) + "]";
  return parent.path + (parent.path.empty() ? "" : ".") + path_step(parent.children[index].first);
}

// Names every node below `path` and refuses duplicate keys. yaml-cpp bounds the depth.
void name_paths(Node& node, const std::string& path) {
  node.path = path;
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const auto& [key, value] = node.children[i];
    const std::shared_ptr<Node> first = node.kind == Kind::kMap ? node.child(key) : value;
    if (first != value)
      throw_config_error(
          *value->source, value->key_mark, child_path(node, i),
          "duplicate key, first on line " + std::to_string(first->key_mark.line + 1) + "; keep one of them");
    name_paths(*value, child_path(node, i));
  }
}

}  // namespace

[[noreturn]] void throw_config_error(const YamlSource& source, const YAML::Mark& mark,
                                     const std::string& path, const std::string& message) {
  const std::string where = path.empty() ? "" : path + ": ";
  if (source.lines.empty()) throw ConfigError("[config] " + source.file + ": " + where + message);
  const auto wanted_line = static_cast<std::size_t>(std::max(mark.line, 0));
  const std::size_t line = std::min(wanted_line, source.lines.size() - 1);  // an error may stand past the end
  const auto wanted_column = static_cast<std::size_t>(std::max(mark.column, 0));
  const std::size_t column = line == wanted_line ? wanted_column : source.lines[line].size();
  throw ConfigError("[config] " + source.file + ":" + std::to_string(line + 1) + ": " + where + message +
                    "\n" + excerpt(source.lines[line], line + 1, column));
}

std::optional<double> parse_yaml_number(std::string text) {
  if (text.starts_with('+')) text.erase(0, 1);
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  const std::string name = text.substr(sign);
  if (name == ".nan" || name == ".inf") text.erase(sign, 1);  // YAML's spelling
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      return node.path.empty() ? "an empty document" : "nothing";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
    case Kind::kScalar:
      break;
  }
  const bool bare =
      !node.quoted && (parse_yaml_number(node.text) || node.text == "true" || node.text == "false");
  return bare ? node.text : in_quotes(node.text);
}

std::shared_ptr<Node> build_yaml_tree(const std::string& text,
                                      const std::shared_ptr<const YamlSource>& source,
                                      const std::string& path) {
  expect_printable(text, *source, path);
  TreeBuilder builder(source);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw_config_error(*source, error.mark, path,
                       "expected YAML, got \"" + error.msg + "\"" +
                           (has_tab_indentation(*source) ? "; indent with spaces" : ""));
  }
  std::shared_ptr<Node> root = builder.root();
  if (!root) {
    root = std::make_shared<Node>();
    root->source = source;
  }
  name_paths(*root, path);
  return root;
}

}  // namespace samebits
