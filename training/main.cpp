// The executable samebits; commands.h lists what it can do.
#include <malloc.h>

#include "training/commands/commands.h"

int main(int argc, char** argv) {
  // Freed tensors stay in the process: giving them back to the system costs a page fault a page on the next
  // step.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  return samebits::training::run_command_line(argc, argv);
}
