// A run that a command works on: its folder, configuration, data and trained model.
#pragma once

#include <string>

#include "training/loop/built_model.h"
#include "training/run/run_directory.h"

namespace samebits::training {

struct OpenedRun {
  RunDirectory run;
  Config config;
  std::unique_ptr<Task> task;
  BuiltModel trained;
};

enum class RunAccess { kRead, kWrite };

/// Opens the folder `path`, alone among processes for kWrite. Throws UsageError on what is no run.
OpenedRun open_run(const std::string& path, RunAccess access);

}  // namespace samebits::training
