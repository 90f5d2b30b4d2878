// The whole library: QAT modules, prepare, convert, verify.
#pragma once

#include "torch_ext/convert.h"
#include "torch_ext/max_pool2d.h"
#include "torch_ext/prepare.h"
#include "torch_ext/qat_conv2d.h"
#include "torch_ext/qat_linear.h"
#include "torch_ext/qconfig.h"
#include "torch_ext/qconfig_yaml.h"
#include "torch_ext/relu.h"
#include "torch_ext/verify.h"
