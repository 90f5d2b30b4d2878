// The runtime in C++, without torch: load_package() and Interpreter. runtime.h is the same for C.
#pragma once

#include "graph/operator.h"
#include "graph/package.h"
#include "runtime/interpreter.h"
