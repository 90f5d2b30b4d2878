// export/compressed_tensors, export/gguf: models of linear layers come back to the bit, and what a
// format cannot say is refused by name. That the files are what others read is shown by
// tests/python/test_export_files.py.
#include <gmock/gmock.h>

#include <functional>

#include "export/compressed_tensors/export_compressed_tensors.h"
#include "export/compressed_tensors/packed_words.h"
#include "export/gguf/export_gguf.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "tests/export/linear_models.h"
#include "tests/io/test_files.h"

namespace samebits {
namespace {

using graph::Graph;
using graph::Linear;
using Path = std::filesystem::path;

/// A model of one layer "fc".
Graph one_linear(const graph::WeightKind& kind, std::int64_t in,
                 const std::function<void(Linear&)>& change = {}) {
  std::mt19937 random(3);
  Linear linear = graph::random_linear(kind, 3, in, random);
  if (change) change(linear);
  return graph::graph_of({in}, {graph::node_of("fc", std::move(linear), {"x"})});
}

Graph one_conv2d() {
  std::mt19937 random(3);
  return graph::graph_of(
      {2, 5, 5}, {graph::node_of("conv", random_conv(graph::kWeightKinds[1], {4, 2, 3, 3}, random), {"x"})});
}

TEST(CompressedTensors, GivesBackEveryWeightKind) {
  const TestFolder folder;
  export_compressed_tensors(linears(), folder / "net");
  EXPECT_EQ(load_compressed_tensors(folder / "net"), linears());
  EXPECT_THAT(names_in(folder / "net"), testing::ElementsAre("config.json", "model.safetensors"));
  const std::string bytes = read_all(folder / "net" / "model.safetensors");
  export_compressed_tensors(linears(), folder / "net");
  EXPECT_EQ(read_all(folder / "net" / "model.safetensors"), bytes);
}

TEST(CompressedTensors, PacksRowsOfAnyLengthAndZeroPointsAlongRows) {
  std::mt19937 random(4);
  for (const int bits : {4, 8})
    for (std::int64_t columns = 1; columns <= 19; ++columns) {
      std::vector<std::int8_t> codes;
      for (std::int64_t i = 0; i < 3 * columns; ++i)
        codes.push_back(
            static_cast<std::int8_t>(static_cast<int>(random() % (1u << bits)) - (1 << (bits - 1))));
      const std::vector<std::int32_t> words = pack_words(codes, columns, bits);
      ASSERT_EQ(std::ssize(words), 3 * word_count(columns, bits));
      ASSERT_EQ(unpack_words(words, 3, columns, bits), codes);
      ASSERT_EQ(transposed(transposed(codes, columns), 3), codes);
    }
  EXPECT_THAT(pack_words({-128, -127, 0, 127, 1}, 5, 8),
              testing::ElementsAre(static_cast<std::int32_t>(0xFF800100), 0x81));
}

std::string compressed_error(const Graph& graph) {
  const TestFolder folder;
  const Path path = folder / "net";
  std::string error = error_of([&] { export_compressed_tensors(graph, path); });
  EXPECT_FALSE(std::filesystem::exists(path));
  const std::string where = "[compressed_tensors] " + path.string() + ": ";
  return error.starts_with(where) ? error.substr(where.size()) : error;
}

TEST(CompressedTensors, RefusesWhatTheFormatCannotSay) {
  EXPECT_EQ(compressed_error(one_conv2d()),
            "conv: expected quantized layers to be linear, got conv2d; export safetensors, or leave it float "
            "by skip: true");
  EXPECT_EQ(compressed_error(one_linear({"", 4, 32, false, true}, 40)),
            "fc: expected in_features that group_size 32 divides, got 40");
  EXPECT_EQ(compressed_error(one_linear(graph::kWeightKinds[1], 8,
                                        [](Linear& l) {
                                          l.input_grid = {1, 0, 0, 127};
                                        })),
            "fc: expected input codes of whole bits, such as -128..127, got 0..127");
  EXPECT_EQ(compressed_error(graph::graph_of({8}, {graph::node_of("act", graph::Relu{}, {"x"})})),
            "expected a quantized linear layer, got none");
}

TEST(CompressedTensors, SayWhichTensorIsWrong) {
  const TestFolder folder;
  export_compressed_tensors(one_linear({"", 4, 8, false, false}, 16), folder / "net");
  const Path path = folder / "net" / "model.safetensors";
  const io::SafetensorsFile sound = io::read_safetensors(path);
  const auto error = [&](const std::function<void(io::SafetensorsFile&)>& damage) {
    io::SafetensorsFile file = sound;
    damage(file);
    io::write_safetensors(path, file);
    const std::string text = error_of([&] { load_compressed_tensors(folder / "net"); });
    const std::string where = "[compressed_tensors] " + path.string() + ": ";
    EXPECT_THAT(text, testing::StartsWith(where));
    return text.substr(std::min(text.size(), where.size()));
  };
  using File = io::SafetensorsFile;
  EXPECT_EQ(error([](File& file) { file.tensors.erase("fc.weight_packed"); }),
            "fc.weight_packed: expected I32 [3, 2], got none");
  EXPECT_EQ(error([](File& file) { file.tensors["fc.weight_shape"].bytes[0] = 5; }),
            "fc.weight_shape: expected the shape [3, 16], got another");
  EXPECT_EQ(error([](File& file) {
              file.tensors["fc.weight_zero_point"].shape = {2, 1};
            }),
            "fc.weight_zero_point: expected I32 [1, 2], got I32 [2, 1]");
  EXPECT_EQ(error([](File& file) {
              file.tensors["more"] = {"U8", {0}, {}};
            }),
            "more: expected no tensor that the graph does not name");
  EXPECT_EQ(error([](File& file) { file.metadata.clear(); }),
            "expected metadata samebits.graph, got none; only files of samebits export can be read");
}

TEST(Gguf, GivesBackEveryKindThatItHolds) {
  const TestFolder folder;
  export_gguf(gguf_linears(), folder / "net.gguf");
  EXPECT_EQ(load_gguf(folder / "net.gguf"), gguf_linears());
  const io::GgufFile file = io::read_gguf(folder / "net.gguf");
  std::string types;
  for (const auto& [name, tensor] : file.tensors) types += io::to_text(tensor.type) + std::string(" ");
  EXPECT_EQ(types, "F32 Q8_0 F32 Q4_0 F32 Q4_1 F32 Q8_0 F32 Q4_0 F32 Q8_0 F32 Q4_1 F32 ");
  EXPECT_EQ(file.texts.at("general.architecture"), "samebits");
}

std::string gguf_error(const Graph& graph) {
  const TestFolder folder;
  const Path path = folder / "net.gguf";
  std::string error = error_of([&] { export_gguf(graph, path); });
  EXPECT_FALSE(std::filesystem::exists(path));
  const std::string where = "[gguf] " + path.string() + ": ";
  EXPECT_THAT(error, testing::StartsWith(where));
  return error.substr(std::min(error.size(), where.size()));
}

TEST(Gguf, RefusesWhatIsNotLosslessAndSaysWhatWouldBe) {
  const auto grid = [](float scale, std::int32_t zero_point) {
    return [=](Linear& linear) {
      linear.weight.scale.assign(linear.weight.scale.size(), scale);
      if (!linear.weight.zero_point.empty())
        linear.weight.zero_point.assign(linear.weight.scale.size(), zero_point);
    };
  };
  EXPECT_EQ(
      gguf_error(one_conv2d()),
      "conv.weight: expected a weight [out, in], got [4, 2, 3, 3]; leave the layer float by skip: true");
  EXPECT_EQ(gguf_error(one_linear({"", 7, 0, false, false}, 64)),
            "fc.weight: expected at most 4 bits of a weight with zero points, got 7; "
            "set weight: {bits: 7, symmetric: true, group_size: 32}");
  EXPECT_EQ(gguf_error(one_linear({"", 4, 16, false, false}, 64)),
            "fc.weight: expected groups of a multiple of 32, got 16; "
            "set weight: {bits: 4, symmetric: false, group_size: 32}");
  EXPECT_EQ(gguf_error(one_linear(graph::kWeightKinds[1], 48)),
            "fc.weight: expected in_features that are a multiple of 32, got 48; leave the layer float by "
            "skip: true");
  EXPECT_EQ(gguf_error(one_linear({"", 8, 32, false, true}, 64, grid(0.1f, 0))),
            "fc.weight: expected scales that float16 holds, got 0.1 in block 0; save a package or "
            "safetensors instead");
  EXPECT_EQ(gguf_error(one_linear({"", 4, 32, false, false}, 64, grid(0x1.004p0f, 3))),
            "fc.weight: expected a scale, and its product with zero point + 8, that float16 holds, got "
            "1.00098 and zero "
            "point 3 in block 0; set symmetric: true, or save a package or safetensors instead");
}

TEST(Gguf, SaysWhichTensorIsWrong) {
  const TestFolder folder;
  const Path path = folder / "net.gguf";
  const auto scale = [](Linear& linear) { linear.weight.scale.assign(linear.weight.scale.size(), 0.5f); };
  export_gguf(one_linear({"", 4, 64, false, false}, 64, scale), path);
  const io::GgufFile sound = io::read_gguf(path);
  const auto error = [&](const std::function<void(io::GgufFile&)>& damage) {
    io::GgufFile file = sound;
    damage(file);
    io::write_gguf(path, file);
    const std::string text = error_of([&] { load_gguf(path); }), where = "[gguf] " + path.string() + ": ";
    EXPECT_THAT(text, testing::StartsWith(where));
    return text.substr(std::min(text.size(), where.size()));
  };
  using File = io::GgufFile;
  EXPECT_EQ(error([](File& file) { file.tensors.erase("fc.weight"); }),
            "fc.weight: expected Q4_1 [3, 64], got none");
  EXPECT_EQ(error([](File& file) {
              file.tensors["fc.bias"].shape = {3, 1};
            }),
            "fc.bias: expected F32 [n], got F32 [3, 1]");
  EXPECT_EQ(error([](File& file) { file.tensors["fc.weight"].bytes[2] ^= 1; }),
            "fc.weight: expected the minimum of a zero point in -8..7, got another in block 0");
  EXPECT_EQ(error([](File& file) {
              auto& bytes = file.tensors["fc.weight"].bytes;
              const std::uint8_t kGrid[] = {0x00, 0x3C, 0x00, 0xC8};  // scale 1, minimum -8
              std::copy_n(kGrid, 4, bytes.begin() + 20);
            }),
            "fc.weight: expected one grid in the blocks of a channel or group, got another in block 1");
  EXPECT_EQ(error([](File& file) {
              file.tensors["more"] = {io::GgufType::kF32, {1}, {0, 0, 0, 0}};
            }),
            "more: expected no tensor that the graph does not name");
  EXPECT_EQ(error([](File& file) { file.texts.clear(); }),
            "expected metadata samebits.graph, got none; only files of samebits export can be read");
}

}  // namespace
}  // namespace samebits
