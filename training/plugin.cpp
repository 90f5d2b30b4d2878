#include "training/plugin.h"

#include <dlfcn.h>

#include <filesystem>
#include <map>
#include <string_view>

#include "torch_ext/config/yaml_reader.h"
#include "training/errors.h"
#include "training/library_errors.h"

namespace samebits::training {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& expected, const std::string& got,
                       const std::string& way_out) {
  throw UsageError("[plugin] " + path + ": expected " + expected + ", got " + got + "; " + way_out);
}

template <class Function>
Function* symbol(void* library, const char* name, const std::string& path) {
  void* found = dlsym(library, name);
  if (found == nullptr)
    fail(path, std::string("the symbol ") + name, "none",
         "a plug-in includes samebits/plugin.h and says SAMEBITS_PLUGIN");
  return reinterpret_cast<Function*>(found);
}

PluginRegistry load(const std::string& path) {
  if (!std::filesystem::is_regular_file(path))
    fail(path, "a shared library", "no such file", "check the path");
  // An absolute path: a bare name would be looked for elsewhere.
  void* library = dlopen(std::filesystem::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    fail(path, "a shared library that can be loaded", "\"" + std::string(dlerror()) + "\"",
         "build it on this machine, against the LibTorch of this samebits");
  const std::string version = symbol<const char*()>(library, "samebits_plugin_version", path)();
  if (version != SAMEBITS_PLUGIN_VERSION)
    fail(path, "a plug-in for \"" SAMEBITS_PLUGIN_VERSION "\"", "\"" + version + "\"",
         "build it again with the headers of this samebits");
  PluginRegistry registry;
  symbol<void(PluginRegistry&)>(library, "samebits_plugin_register", path)(registry);
  return registry;
}

}  // namespace

const PluginRegistry& load_plugin(const std::string& path) {
  static std::map<std::string, PluginRegistry> loaded;  // never unloaded: models are made of its code
  const auto found = loaded.find(path);
  return found != loaded.end() ? found->second : loaded.emplace(path, load(path)).first->second;
}

void fail_plugin_name(const std::string& path, const std::string& kind, const std::string& name,
                      const std::vector<std::string>& names) {
  if (names.empty()) fail(path, "a plug-in with a " + kind, "one without", "register it in SAMEBITS_PLUGIN");
  fail(path, "its " + kind + " " + alternatives(names), "\"" + name + "\"",
       "did you mean \"" + nearest_name_of_any(name, names) + "\"?");
}

void rethrow_plugin_error(const std::string& path, const std::string& name, const std::exception& error) {
  if (is_out_of_memory(error)) throw;
  throw UsageError("[plugin] " + path + ": " + name + ": " + text_of(error));
}

}  // namespace samebits::training
