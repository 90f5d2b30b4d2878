#include "torch_ext/graph/program/state_file.h"

#include "io/error.h"
#include "io/safetensors.h"

namespace samebits {
namespace {

const std::map<at::ScalarType, const char*>& dtype_names() {
  static const std::map<at::ScalarType, const char*> kNames = {
      {at::kDouble, "F64"}, {at::kFloat, "F32"}, {at::kHalf, "F16"},  {at::kBFloat16, "BF16"},
      {at::kLong, "I64"},   {at::kInt, "I32"},   {at::kShort, "I16"}, {at::kChar, "I8"},
      {at::kByte, "U8"},    {at::kBool, "BOOL"}};
  return kNames;
}

io::TensorData data_of(const std::string& name, const at::Tensor& tensor_any) {
  const auto dtype = dtype_names().find(tensor_any.scalar_type());
  if (dtype == dtype_names().end())
    io::fail("[state] ", name, ": expected a dtype that safetensors has, got ",
             toString(tensor_any.scalar_type()));
  const at::Tensor tensor = tensor_any.detach().cpu().contiguous();
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  return {dtype->second, tensor.sizes().vec(), {bytes, bytes + tensor.nbytes()}};
}

void check(const std::filesystem::path& path, const std::string& name, const io::TensorData& data,
           const at::Tensor& tensor) {
  const auto dtype = dtype_names().find(tensor.scalar_type());
  const std::string expected = dtype == dtype_names().end() ? "another dtype" : dtype->second;
  if (data.shape != tensor.sizes().vec() || data.dtype != expected)
    io::fail("[state] ", path.string(), ": ", name, ": expected ", expected, " ",
             io::to_text(tensor.sizes().vec()), ", got ", data.dtype, " ", io::to_text(data.shape));
}

}  // namespace

NamedTensors named_state(const Program& program) {
  NamedTensors tensors;
  for (const ProgramTensorEntry& entry : program.tensors)
    if (entry.kind != ProgramTensorEntry::kConstant && entry.is_persistent)
      tensors[entry.name] = entry.tensor;
  return tensors;
}

void write_state(const std::filesystem::path& path, const NamedTensors& tensors) {
  io::SafetensorsFile file;
  for (const auto& [name, tensor] : tensors) file.tensors[name] = data_of(name, tensor);
  file.metadata["format"] = "pt";
  io::write_safetensors(path, file);
}

void read_state(const std::filesystem::path& path, const NamedTensors& tensors) {
  const io::SafetensorsFile file = io::read_safetensors(path);
  for (const auto& [name, tensor] : tensors) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end())
      io::fail("[state] ", path.string(), ": expected a tensor ", name, ", got none of this name");
    check(path, name, found->second, tensor);
  }
  for (const auto& [name, data] : file.tensors)
    if (!tensors.contains(name))
      io::fail("[state] ", path.string(), ": ", name,
               ": expected the name of a parameter or a buffer of the model, got another");
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const io::TensorData& data = file.tensors.at(name);
    // from_blob does not write to what it reads.
    tensor.copy_(
        at::from_blob(const_cast<std::uint8_t*>(data.bytes.data()), data.shape, tensor.scalar_type()));
  }
}

}  // namespace samebits
