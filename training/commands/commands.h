// Every command there is.
#pragma once

#include "training/commands/command.h"

namespace samebits::training {

Command train_command();
Command eval_command();
Command export_command();
Command verify_command();
Command deploy_command();
Command ptq_command();
Command sensitivity_command();
Command plan_command();
Command effects_command();
Command benchmark_command();
Command doctor_command();

}  // namespace samebits::training
