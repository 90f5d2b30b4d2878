// Modules by their paths: the submodules of a graph stand where those of the model stood that it was made of.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <utility>

namespace samebits {

/// {"features.0", "weight"} of "features.0.weight".
std::pair<std::string, std::string> parted(const std::string& path);

/// Gives `target` submodules like those of `source`, in their order and modes, each with the same parameters
/// and buffers; a module that is registered twice is one module there too.
void mirror(const torch::nn::Module& source, torch::nn::Module& target);

/// The module at `path` below `root`, made where there is none.
torch::nn::Module& module_at(torch::nn::Module& root, const std::string& path);
/// The module at `path`, or the nearest one above that there is.
torch::nn::Module& nearest_module(torch::nn::Module& root, const std::string& path);

/// Puts a module at `path`, in place of what is there and in its mode.
void put_module(torch::nn::Module& root, const std::string& path,
                const std::shared_ptr<torch::nn::Module>& module);
/// Puts a plain module with the parameters of `module` in its place, if it stands there.
void take_module(torch::nn::Module& root, const std::string& path, const torch::nn::Module& module);

/// Gives the modules below `to` the modes of those of the same paths below `from`.
void copy_modes(const torch::nn::Module& from, torch::nn::Module& to);

}  // namespace samebits
