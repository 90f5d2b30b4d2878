#include "torch_ext/load_pt2.h"

#include "io/error.h"
#include "torch_ext/graph/pt2/pt2_program.h"

namespace samebits {

GraphModule load_pt2(const std::filesystem::path& path) {
  try {
    pt2::Archive archive(path);
    return GraphModule(std::make_shared<GraphModuleImpl>(pt2::program_of(archive)));
  } catch (const nlohmann::json::exception& error) {
    const std::string what = error.what();
    io::fail("[pt2] ", path.string(), ": expected a graph as torch.export.save writes it, got one in which ",
             what.substr(what.find("] ") + 2));
  } catch (const c10::Error& error) {
    io::fail("[pt2] ", path.string(), ": ", error.what_without_backtrace());
  } catch (const std::runtime_error& error) {
    io::fail("[pt2] ", path.string(), ": ", error.what());
  }
}

}  // namespace samebits
