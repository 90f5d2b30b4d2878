// The models that `model.name` may say. models.cpp has one factory for each, in this order. Torch-free: the
// configuration is read without LibTorch.
#pragma once

#include <array>
#include <string_view>

namespace samebits::training {

inline constexpr std::array<std::string_view, 2> kModelNames = {"cnn", "mlp"};

}  // namespace samebits::training
