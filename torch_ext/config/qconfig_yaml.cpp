#include "torch_ext/config/qconfig_yaml.h"

#include "torch_ext/config/field_reader.h"
#include "torch_ext/config/field_writer.h"
#include "torch_ext/config/qconfig_fields.h"

namespace samebits {

QConfig read_qconfig(YamlValue map) {
  QConfig config;
  FieldReader reader(std::move(map));
  visit_qconfig(reader, config);
  return config;
}

void write_qconfig(YAML::Emitter& out, const QConfig& config) {
  FieldWriter writer(out);
  visit_qconfig(writer, config);
}

}  // namespace samebits
