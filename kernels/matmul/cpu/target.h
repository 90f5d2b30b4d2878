// Functions between SAMEBITS_BEGIN_TARGET("avx512f,...") and SAMEBITS_END_TARGET are compiled for these
// instructions, whatever the build's flags: per-file flags would leak into inline functions that the linker
// shares with other files.
#pragma once

#define SAMEBITS_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define SAMEBITS_BEGIN_TARGET(features) \
  SAMEBITS_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define SAMEBITS_END_TARGET SAMEBITS_PRAGMA(clang attribute pop)
#else
#define SAMEBITS_BEGIN_TARGET(features) \
  SAMEBITS_PRAGMA(GCC push_options) SAMEBITS_PRAGMA(GCC target(features))
#define SAMEBITS_END_TARGET SAMEBITS_PRAGMA(GCC pop_options)
#endif
