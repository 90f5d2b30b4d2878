#include "export/gguf/export_gguf.h"

#include <bit>

#include "export/arrays/graph_text.h"
#include "export/arrays/tensors.h"
#include "io/gguf.h"
#include "kernels/formats/int4_layouts.h"

namespace samebits {
namespace {

using graph::ArraysError;
using graph::Sizes;
using io::GgufTensor;
using io::GgufType;
using quant::Encoding;
using quant::Granularity;
using quant::QuantizedTensor;

std::string where(const std::filesystem::path& path) {
  return "[gguf] " + path.string();
}

std::int64_t bytes_of_block(GgufType type) {
  if (type == GgufType::kQ8_0) return kernels::kQ80Bytes;
  return type == GgufType::kQ4_0 ? kernels::kQ40Bytes : kernels::kQ41Bytes;
}

/// The type that holds codes of this encoding. Throws ArraysError, with the configuration that has one.
GgufType type_of(const std::string& name, const QuantizedTensor& weight) {
  const Encoding& encoding = weight.encoding;
  if (weight.shape.size() != 2)
    throw ArraysError(io::join(name, ": expected a weight [out, in], got ", io::to_text(weight.shape),
                               "; leave the layer float by skip: true"));
  if (!encoding.symmetric && encoding.bits > 4)
    throw ArraysError(io::join(name, ": expected at most 4 bits of a weight with zero points, got ",
                               encoding.bits, "; set weight: {bits: ", encoding.bits,
                               ", symmetric: true, group_size: 32}"));
  if (encoding.granularity == Granularity::kPerGroup && encoding.group_size % kernels::kGgufBlock != 0)
    throw ArraysError(io::join(name, ": expected groups of a multiple of 32, got ", encoding.group_size,
                               "; set weight: {bits: ", encoding.bits,
                               ", symmetric: ", encoding.symmetric ? "true" : "false", ", group_size: 32}"));
  if (weight.row_length() % kernels::kGgufBlock != 0)
    throw ArraysError(io::join(name, ": expected in_features that are a multiple of 32, got ",
                               weight.row_length(), "; leave the layer float by skip: true"));
  if (encoding.bits > 4) return GgufType::kQ8_0;
  return encoding.symmetric ? GgufType::kQ4_0 : GgufType::kQ4_1;
}

/// The place of a block's grid among a weight's.
std::int64_t grid_of_block(const QuantizedTensor& weight, std::int64_t block) {
  const Encoding& encoding = weight.encoding;
  if (encoding.granularity == Granularity::kPerTensor) return 0;
  const std::int64_t columns = weight.row_length(), row_blocks = columns / kernels::kGgufBlock;
  const std::int64_t column = block % row_blocks * kernels::kGgufBlock;
  const bool has_groups = encoding.granularity == Granularity::kPerGroup;
  return block / row_blocks * quant::groups_per_row(encoding, columns) +
         (has_groups ? column / encoding.group_size : 0);
}

std::int64_t block_count(const QuantizedTensor& weight) {
  return weight.rows() * weight.row_length() / kernels::kGgufBlock;
}

/// Every block's scale, and zero point where there are any.
struct BlockGrids {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
};

BlockGrids grids_of_blocks(const QuantizedTensor& weight) {
  BlockGrids grids;
  for (std::int64_t block = 0; block < block_count(weight); ++block) {
    const auto grid = static_cast<std::size_t>(grid_of_block(weight, block));
    grids.scale.push_back(weight.scale[grid]);
    if (!weight.zero_point.empty()) grids.zero_point.push_back(weight.zero_point[grid]);
  }
  return grids;
}

class Sink : public graph::ArraySink {
 public:
  explicit Sink(io::GgufFile& file) : file_(file) {}

  void codes(const std::string& name, const QuantizedTensor& weight) override {
    GgufTensor& tensor = file_.tensors[name];
    tensor = {type_of(name, weight), weight.shape, {}};
    const BlockGrids grids = grids_of_blocks(weight);
    const std::int64_t blocks = block_count(weight);
    tensor.bytes.resize(static_cast<std::size_t>(blocks * bytes_of_block(tensor.type)));
    std::int64_t done = 0;
    if (tensor.type == GgufType::kQ8_0)
      done = kernels::pack_q8_0(weight.codes.data(), grids.scale.data(), blocks, tensor.bytes.data());
    else if (tensor.type == GgufType::kQ4_0)
      done = kernels::pack_q4_0(weight.codes.data(), grids.scale.data(), blocks, tensor.bytes.data());
    else
      done = kernels::pack_q4_1(weight.codes.data(), grids.scale.data(), grids.zero_point.data(), blocks,
                                tensor.bytes.data());
    if (done < blocks) refuse_grid(name, grids, static_cast<std::size_t>(done));
  }
  void floats(const std::string& name, const Sizes& shape, const std::vector<float>& values) override {
    refuse_factors(name);
    file_.tensors[name] = {GgufType::kF32, shape, bytes_of(values)};
  }

 private:
  [[noreturn]] static void refuse_grid(const std::string& name, const BlockGrids& grids, std::size_t block) {
    const std::string place = io::join(" in block ", block);
    if (grids.zero_point.empty())
      throw ArraysError(io::join(name, ": expected scales that float16 holds, got ", grids.scale[block],
                                 place, "; save a package or safetensors instead"));
    throw ArraysError(
        io::join(name, ": expected a scale, and its product with zero point + 8, that float16 holds, got ",
                 grids.scale[block], " and zero point ", grids.zero_point[block], place,
                 "; set symmetric: true, or save a package or safetensors instead"));
  }

  io::GgufFile& file_;
};

class Source : public graph::ArraySource {
 public:
  explicit Source(io::GgufFile& file) : file_(file) {}

  void codes(const std::string& name, QuantizedTensor& weight) override {
    graph::element_count(name, weight.shape);
    const GgufType type = type_of(name, weight);
    const GgufTensor tensor = take(name, type, weight.shape);
    const std::int64_t blocks = block_count(weight);
    BlockGrids grids{std::vector<float>(static_cast<std::size_t>(blocks)),
                     std::vector<std::int32_t>(static_cast<std::size_t>(blocks), 0)};
    weight.codes.resize(static_cast<std::size_t>(blocks * kernels::kGgufBlock));
    if (type == GgufType::kQ8_0)
      kernels::unpack_q8_0(tensor.bytes.data(), blocks, weight.codes.data(), grids.scale.data());
    else if (type == GgufType::kQ4_0)
      kernels::unpack_q4_0(tensor.bytes.data(), blocks, weight.codes.data(), grids.scale.data());
    else if (const std::int64_t done = kernels::unpack_q4_1(tensor.bytes.data(), blocks, weight.codes.data(),
                                                            grids.scale.data(), grids.zero_point.data());
             done < blocks)
      throw ArraysError(
          io::join(name, ": expected the minimum of a zero point in -8..7, got another in block ", done));
    collect_grids(name, grids, weight);
  }
  std::vector<float> floats(const std::string& name, const Sizes& shape) override {
    return values_of<float>(take(name, GgufType::kF32, shape).bytes);
  }
  void end() override {
    if (!file_.tensors.empty())
      throw ArraysError(file_.tensors.begin()->first + ": expected no tensor that the graph does not name");
  }

 private:
  GgufTensor take(const std::string& name, GgufType type, const Sizes& shape) {
    const std::string expected = io::join(io::to_text(type), ' ', shape.empty() ? "[n]" : io::to_text(shape));
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end())
      throw ArraysError(io::join(name, ": expected ", expected, ", got none"));
    GgufTensor tensor = std::move(found->second);
    file_.tensors.erase(found);
    const bool fits = shape.empty() ? tensor.shape.size() == 1 : tensor.shape == shape;
    if (tensor.type != type || !fits)
      throw ArraysError(io::join(name, ": expected ", expected, ", got ", io::to_text(tensor.type), ' ',
                                 io::to_text(tensor.shape)));
    return tensor;
  }

  /// The grids of a weight, of which several blocks may share one.
  static void collect_grids(const std::string& name, const BlockGrids& grids, QuantizedTensor& weight) {
    const auto count =
        static_cast<std::size_t>(quant::scale_count(weight.encoding, weight.rows(), weight.row_length()));
    weight.scale.assign(count, 0.0f);
    weight.zero_point.assign(weight.encoding.symmetric ? 0 : count, 0);
    std::vector<bool> seen(count, false);
    for (std::size_t block = 0; block < grids.scale.size(); ++block) {
      const auto grid = static_cast<std::size_t>(grid_of_block(weight, static_cast<std::int64_t>(block)));
      const auto bits = [](float value) { return std::bit_cast<std::uint32_t>(value); };
      const bool is_other =
          seen[grid] && (bits(weight.scale[grid]) != bits(grids.scale[block]) ||
                         (!weight.zero_point.empty() && weight.zero_point[grid] != grids.zero_point[block]));
      if (is_other)
        throw ArraysError(io::join(
            name, ": expected one grid in the blocks of a channel or group, got another in block ", block));
      seen[grid] = true;
      weight.scale[grid] = grids.scale[block];
      if (!weight.zero_point.empty()) weight.zero_point[grid] = grids.zero_point[block];
    }
  }

  io::GgufFile& file_;
};

}  // namespace

void export_gguf(const graph::Graph& graph, const std::filesystem::path& path) {
  io::GgufFile file;
  Sink sink(file);
  try {
    file.texts[kGraphKey] = graph_text(graph, sink, where(path));
  } catch (const ArraysError& error) {
    io::fail(where(path), ": ", error.what());
  }
  file.texts["general.architecture"] = "samebits";
  file.texts["general.name"] = graph.name;
  file.numbers["general.quantization_version"] = 2;
  io::write_gguf(path, file);
}

graph::Graph load_gguf(const std::filesystem::path& path) {
  io::GgufFile file = io::read_gguf(path);
  const auto graph = file.texts.find(kGraphKey);
  if (graph == file.texts.end())
    io::fail(where(path), ": expected metadata ", kGraphKey,
             ", got none; only files of samebits export can be read");
  Source source(file);
  return graph_of_text(graph->second, source, where(path));
}

}  // namespace samebits
