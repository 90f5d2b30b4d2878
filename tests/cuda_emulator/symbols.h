// From an instruction of this program to its source line, for error messages.
#pragma once

#include <cstdint>
#include <string>

namespace samebits::cuda_emulator {

/// An instruction, counted from the start of the program.
std::uint32_t code_offset(const void* instruction);

/// "file.cuh:12" of the instruction before `code`: the kernel's line, not that of a function of
/// cuda_language.h that was inlined there. The offset where the program has no debug information.
std::string source_line(std::uint32_t code);

/// The name of the function that begins at `function`, without namespaces and parameters.
std::string function_name(const void* function);

}  // namespace samebits::cuda_emulator
