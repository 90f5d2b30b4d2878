// samebits doctor: stable columns, one fact a line.
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <cstdio>

#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"
#include "training/commands/commands.h"

namespace samebits::training {

int doctor() {
  kernels::isa::forced();  // first: throws on an unknown SAMEBITS_ISA
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
  return 0;
}

}  // namespace samebits::training
