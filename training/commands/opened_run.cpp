#include "training/commands/opened_run.h"

#include "training/ship/run_exports.h"

namespace samebits::training {

OpenedRun open_run(const std::string& path, RunAccess access) {
  RunDirectory run = RunDirectory::open(path);
  if (access == RunAccess::kWrite) run.lock();
  Config config = run.config();
  set_up_process(config);
  std::unique_ptr<Task> task = make_task(config);
  BuiltModel trained = load_trained(run, config, *task);
  return {std::move(run), std::move(config), std::move(task), std::move(trained)};
}

}  // namespace samebits::training
