// Asks addr2line (of binutils, as the compiler) about this program, when there is an error to report.
#include "tests/cuda_emulator/symbols.h"

#include <unistd.h>

#include <cstdio>
#include <vector>

extern "C" const char __executable_start;

namespace samebits::cuda_emulator {
namespace {

std::vector<std::string> addr2line(const char* options, std::uint32_t code) {
  char command[120], line[4096];
  std::snprintf(command, sizeof(command), "addr2line %s -e /proc/%d/exe 0x%x 2>/dev/null", options, getpid(),
                code);
  std::vector<std::string> lines;
  FILE* const pipe = popen(command, "r");
  if (pipe == nullptr) return lines;
  while (std::fgets(line, sizeof(line), pipe) != nullptr) {
    lines.emplace_back(line);
    if (lines.back().ends_with('\n')) lines.back().pop_back();
  }
  pclose(pipe);
  return lines;
}

/// "void a::(anonymous namespace)::f<g::h>(int)" -> "f<g::h>"
std::string short_name(std::string name) {
  if (name.ends_with(')')) {  // drop the parameters
    int open = 0;
    std::size_t at = name.size();
    do {
      open += name[--at] == ')' ? 1 : name[at] == '(' ? -1 : 0;
    } while (open > 0 && at > 0);
    name.resize(at);
  }
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
    if (depth == 0 && (name[i] == ':' || name[i] == ' ')) begin = i + 1;
  }
  return name.substr(begin);
}

}  // namespace

std::uint32_t code_offset(const void* instruction) {
  return static_cast<std::uint32_t>(static_cast<const char*>(instruction) - &__executable_start);
}

std::string source_line(std::uint32_t code) {
  std::string found = "?";
  for (std::string line : addr2line("-s -i", code - 1)) {
    line = line.substr(0, line.find(' '));  // behind it: "(discriminator 2)"
    found = line;
    if (!line.starts_with("cuda_language.h")) break;
  }
  return found.starts_with('?') ? "instruction " + std::to_string(code) : found;
}

std::string function_name(const void* function) {
  const auto lines = addr2line("-f -C", code_offset(function));
  return lines.empty() || lines[0].starts_with('?') ? "kernel" : short_name(lines[0]);
}

}  // namespace samebits::cuda_emulator
