// The executable samebits: collects its commands.
#include <malloc.h>

#include "training/commands/commands.h"

int main(int argc, char** argv) {
  using namespace samebits::training;
  // Freed tensors stay in the process: giving them back to the system costs a page fault a page on the next
  // step.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  return run_command_line(
      argc, argv,
      {train_command(), eval_command(), export_command(), verify_command(), deploy_command(), ptq_command(),
       sensitivity_command(), plan_command(), effects_command(), benchmark_command(), doctor_command()});
}
