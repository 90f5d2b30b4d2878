#include "torch_ext/graph/pt2/archive.h"

#include <ATen/ATen.h>

#include "io/error.h"

namespace samebits::pt2 {

using nlohmann::json;

namespace {

constexpr const char* kWays = "; export again with torch 2.9 or later";

/// The number of elements from a storage's begin to the last one of a view.
std::int64_t reach(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides,
                   std::int64_t offset) {
  std::int64_t last = offset;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return offset;
    std::int64_t step = 0;
    if (sizes[i] < 0 || strides[i] < 0 || __builtin_mul_overflow(sizes[i] - 1, strides[i], &step) ||
        __builtin_add_overflow(last, step, &last))
      return -1;
  }
  return last + 1;
}

std::vector<std::int64_t> integers(const json& list) {
  std::vector<std::int64_t> values;
  for (const json& each : list) values.push_back(each.at("as_int"));
  return values;
}

}  // namespace

at::ScalarType dtype_of(const json& number, const std::string& where) {
  static const std::map<int, at::ScalarType> kTypes = {
      {1, at::kByte}, {2, at::kChar},  {3, at::kShort},  {4, at::kInt},   {5, at::kLong},
      {6, at::kHalf}, {7, at::kFloat}, {8, at::kDouble}, {12, at::kBool}, {13, at::kBFloat16}};
  const auto found = kTypes.find(number.get<int>());
  if (found == kTypes.end())
    io::fail(where,
             ": expected a dtype of integers, bool, float16, bfloat16, float32 or float64, got number ",
             number.dump(), " of torch.export's list");
  return found->second;
}

Archive::Archive(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) io::fail("expected a file, got none");
  try {
    zip_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(path.string());
  } catch (const c10::Error&) {
    io::fail("expected an archive of torch.export.save, got a file that is no whole zip archive");
  }
  if (!has("models/model.json"))
    io::fail("expected an entry models/model.json, as torch.export.save writes it, got none", kWays);
  model_ = parse("models/model.json");
  const json& version = model_.at("schema_version");
  if (version.at("major") != 8)
    io::fail("expected schema version 8, got ", version.at("major").dump(), kWays);
  weights_ = parse("data/weights/model_weights_config.json").at("config");
  constants_ = parse("data/constants/model_constants_config.json").at("config");
}

bool Archive::has(const std::string& record) {
  return zip_->hasRecord(record);
}

json Archive::parse(const std::string& record) {
  if (!has(record))
    io::fail("expected an entry ", record, ", as torch.export.save writes it, got none", kWays);
  try {
    const auto [bytes, size] = zip_->getRecord(record);
    const auto* text = static_cast<const char*>(bytes.get());
    return json::parse(text, text + size);
  } catch (const c10::Error&) {
    io::fail(record, ": expected an entry that can be read, got a damaged one");
  } catch (const json::parse_error&) {
    io::fail(record, ": expected JSON, got something else");
  }
}

at::Tensor Archive::tensor(const std::string& name) {
  const bool is_weight = weights_.contains(name);
  if (!is_weight && !constants_.contains(name))
    io::fail(name, ": expected its values in the archive, got none");
  const json& payload = (is_weight ? weights_ : constants_).at(name);
  if (payload.at("use_pickle").get<bool>())
    io::fail(name, ": expected plain bytes, got a pickled tensor subclass; export a model of plain tensors");
  const std::string folder = is_weight ? "data/weights/" : "data/constants/";
  return read(name, payload, folder + payload.at("path_name").get<std::string>());
}

at::Tensor Archive::read(const std::string& name, const json& payload, const std::string& record) {
  const json& meta = payload.at("tensor_meta");
  at::Tensor& tensor = tensors_[record + meta.dump()];
  if (tensor.defined()) return tensor;  // tied
  const at::ScalarType dtype = dtype_of(meta.at("dtype"), name);
  c10::Storage& storage = storages_[record];
  if (!storage) {
    if (!has(record)) io::fail(name, ": expected an entry ", record, ", got none");
    try {
      auto [bytes, size] = zip_->getRecord(record);
      storage = c10::Storage(c10::Storage::use_byte_size_t(), size, std::move(bytes));
    } catch (const c10::Error&) {
      io::fail(record, ": expected an entry that can be read, got a damaged one");
    }
  }
  const std::vector<std::int64_t> sizes = integers(meta.at("sizes")), strides = integers(meta.at("strides"));
  const std::int64_t offset = meta.at("storage_offset").at("as_int");
  const std::int64_t count =
      sizes.size() == strides.size() && offset >= 0 ? reach(sizes, strides, offset) : -1;
  const auto held = static_cast<std::int64_t>(storage.nbytes() / c10::elementSize(dtype));
  if (count < 0 || count > held)
    io::fail(name, ": expected values for shape ", io::to_text(sizes), ", got ", held, " elements");
  tensor = at::empty({0}, dtype);
  tensor.set_(storage, offset, sizes, strides);
  return tensor.set_requires_grad(meta.at("requires_grad").get<bool>());
}

}  // namespace samebits::pt2
