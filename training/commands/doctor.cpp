// samebits doctor: stable columns, one fact a line.
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <cstdio>

#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/library_errors.h"

namespace samebits::training {
namespace {

int doctor() {
  refusing([] { kernels::isa::forced(); });  // an unknown SAMEBITS_ISA
  std::printf("samebits   %s\nLibTorch   %s\nCUDA       %s\nthreads    %d\n", SAMEBITS_VERSION, TORCH_VERSION,
              SAMEBITS_CUDA_BUILD ? "kernels built" : "kernels not built (PRESET=cuda builds them)",
              at::get_num_threads());
  std::printf("processor ");
  for (const auto& feature : kernels::isa::processor_features())
    std::printf(" %s%s", feature.present ? "" : "no-", feature.name);
  std::printf("\n\n%-24s%-16s%s\n", "kernel", "implementation", "here");
  for (const kernels::AnyKernel* kernel : kernels::all_kernels()) {
    const char* name = kernel->name();
    for (const kernels::ImplementationStatus& each : kernel->statuses()) {
      const std::string here = each.used              ? "used"
                               : each.why_not.empty() ? "available"
                                                      : "skipped: " + each.why_not;
      std::printf("%-24s%-16s%s\n", name, each.name.c_str(), here.c_str());
      name = "";
    }
  }
  return kDone;
}

}  // namespace

Command doctor_command() {
  return {.name = "doctor",
          .group = "This machine",
          .summary = "What this machine has, which kernels run here and why others do not",
          .example = "SAMEBITS_ISA=avx2 samebits doctor",
          .add_options = [](CLI::App&) {},
          .run = doctor};
}

}  // namespace samebits::training
