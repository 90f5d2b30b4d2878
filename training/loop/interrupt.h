// SIGINT and SIGTERM as a flag: training ends after the step, with a checkpoint. A second signal ends at
// once.
#pragma once

namespace samebits::training {

void watch_interrupts();
bool interrupted();

}  // namespace samebits::training
