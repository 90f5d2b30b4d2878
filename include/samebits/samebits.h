// The whole library: capture, QAT modules, prepare, convert, verify; quantization after training.
#pragma once

#include <torch/nn.h>

#include "export/formats.h"
#include "torch_ext/capture.h"
#include "torch_ext/config/qconfig.h"
#include "torch_ext/config/qconfig_yaml.h"
#include "torch_ext/convert.h"
#include "torch_ext/graph_module.h"
#include "torch_ext/load_pt2.h"
#include "torch_ext/modules/joined_batch_norm.h"
#include "torch_ext/modules/max_pool2d.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/modules/relu.h"
#include "torch_ext/prepare.h"
#include "torch_ext/ptq/post_training.h"
#include "torch_ext/ptq/sensitivity.h"
#include "torch_ext/quantizer/layer_quantizer.h"
#include "torch_ext/reestimate_batch_norms.h"
#include "torch_ext/verify.h"
