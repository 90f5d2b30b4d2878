#include "training/metric.h"

#include <cmath>

#include "training/report/text.h"

namespace samebits::training {

std::string Metric::text(double value) const {
  return fixed_text(value, decimals) + (std::isfinite(value) ? unit : "");
}

}  // namespace samebits::training
