#pragma once
#include "kernels/conv/strided_rows.h"

namespace samebits::kernels::reference {
void copy_strided_rows(const StridedRowsArgs& args);
}
