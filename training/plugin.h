// Shared libraries of users (include/samebits/plugin.h), loaded once and kept.
#pragma once

#include <string>
#include <vector>

#include "samebits/plugin.h"

namespace samebits::training {

/// What the plug-in at `path` registers. Throws UsageError "[plugin] PATH: expected …, got …; way out" on a
/// file that is missing or cannot be loaded, has no samebits_plugin_version, or was built for another
/// samebits or LibTorch.
const PluginRegistry& load_plugin(const std::string& path);

/// Throws UsageError: the plug-in has no `kind` ("model") of this name.
[[noreturn]] void fail_plugin_name(const std::string& path, const std::string& kind, const std::string& name,
                                   const std::vector<std::string>& names);

/// The factory `name` among `factories`.
template <class Factory>
const Factory& plugin_factory(const std::map<std::string, Factory>& factories, const std::string& path,
                              const std::string& kind, const std::string& name) {
  const auto found = factories.find(name);
  if (found != factories.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& each : factories) names.push_back(each.first);
  fail_plugin_name(path, kind, name, names);
}

/// Throws UsageError "[plugin] PATH: NAME: …" in the place of `error`.
[[noreturn]] void rethrow_plugin_error(const std::string& path, const std::string& name,
                                       const std::exception& error);

/// factory(), whose errors say which plug-in they come from.
template <class Factory>
auto run_plugin(const std::string& path, const std::string& name, const Factory& factory)
    -> decltype(factory()) {
  try {
    return factory();
  } catch (const std::exception& error) {
    rethrow_plugin_error(path, name, error);
  }
}

}  // namespace samebits::training
