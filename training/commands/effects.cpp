// samebits effects: what the weights of well-known language models take in float and on integers.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "planner/architectures.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

struct Arguments {
  std::int64_t group_size = 128;
};

std::string with_part(std::int64_t bytes, std::int64_t of) {
  return bytes_text(bytes) + " " +
         fixed_text(100.0 * static_cast<double>(bytes) / static_cast<double>(of), 1) + "%";
}

int print_effects(const Arguments& arguments) {
  std::printf("%-12s %17s %10s %16s %16s\n", "", "parameters", "FP32", "INT8", "INT4");
  for (const planner::Architecture& each : planner::architectures()) {
    const std::int64_t whole = planner::model_bytes(each, 32, 0);
    std::printf("%-12s %17s %10s %16s %16s\n", std::string(each.name).c_str(),
                thousands_text(each.parameters()).c_str(), bytes_text(whole).c_str(),
                with_part(planner::model_bytes(each, 8, 0), whole).c_str(),
                with_part(planner::model_bytes(each, 4, arguments.group_size), whole).c_str());
  }
  std::printf(
      "INT8: a float32 scale a channel; INT4: one for %s weights of a channel; biases and norms in float.\n"
      "Computed from the layers' shapes; samebits benchmark measures time and accuracy of runs.\n",
      thousands_text(arguments.group_size).c_str());
  return kDone;
}

}  // namespace

Command effects_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "effects",
          .group = "Plan",
          .summary = "What the weights of well-known language models take at 32, 8 and 4 bits",
          .example = "samebits effects --group-size 32",
          .add_options =
              [arguments](CLI::App& app) {
                app.add_option("--group-size", arguments->group_size, "weights that share a scale at 4 bits")
                    ->check(CLI::Range(8, 65536))
                    ->capture_default_str();
              },
          .run = [arguments] { return print_effects(*arguments); }};
}

}  // namespace samebits::training
