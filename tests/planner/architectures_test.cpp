// planner/architectures.h: as many parameters as the published checkpoints have, and bytes worked out by hand.
#include "planner/architectures.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace samebits::planner {
namespace {

TEST(Architectures, HaveAsManyParametersAsTheirCheckpoints) {
  // Elements in the files of bert-base-uncased (without the heads of its pretraining), gpt2-xl, and Llama-2-*-hf.
  const std::map<std::string, std::int64_t> published = {{"BERT-base", 109'482'240},
                                                         {"GPT-2 XL", 1'557'611'200},
                                                         {"Llama 2 7B", 6'738'415'616},
                                                         {"Llama 2 13B", 13'015'864'320},
                                                         {"Llama 2 70B", 68'976'648'192}};
  ASSERT_EQ(architectures().size(), published.size());
  for (const Architecture& each : architectures())
    EXPECT_EQ(each.parameters(), published.at(std::string(each.name))) << each.name;
}

TEST(ModelBytes, CountCodesScalesAndVectors) {
  const Architecture model{
      .name = "small", .weights = {{2, 3, 256}, {1, 5, 128}}, .vectors = 7, .source = ""};
  EXPECT_EQ(model.parameters(), 2 * 3 * 256 + 5 * 128 + 7);
  EXPECT_EQ(model_bytes(model, 32, 0), 4 * model.parameters());
  // A byte a weight, a scale a row.
  EXPECT_EQ(model_bytes(model, 8, 0), 2 * 3 * 256 + 5 * 128 + 4 * (2 * 3 + 5) + 4 * 7);
  // Half a byte a weight, a scale for each 128 of a row.
  EXPECT_EQ(model_bytes(model, 4, 128), 3 * 256 + 5 * 64 + 4 * (2 * 3 * 2 + 5) + 4 * 7);
}

}  // namespace
}  // namespace samebits::planner
