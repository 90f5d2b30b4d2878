// The pages of docs/guides/ run as they stand: CMake cuts their C++ out of them, block by block.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "include/samebits/samebits.h"

namespace {

namespace fs = std::filesystem;

torch::Tensor images(std::int64_t n) {
  return torch::randn({n, 1, 28, 28});
}

/// The loop of the pages: any.
template <class Model>
void train(Model& model, torch::optim::Optimizer& optimizer, int steps) {
  model.train();
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    const torch::Tensor x = images(16);
    torch::cross_entropy_loss(model.forward(x), torch::arange(16).remainder(10)).backward();
    optimizer.step();
  }
}

/// Runs in a folder of its own, and gives what was printed.
class Guides : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    fs::create_directories(folder_);
    fs::current_path(folder_);
  }
  void TearDown() override {
    fs::current_path(fs::temp_directory_path());
    fs::remove_all(folder_);
  }
  template <class Run>
  static std::string printed(Run run) {
    std::ostringstream text;
    std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
    run();
    std::cout.rdbuf(before);
    return text.str();
  }
  /// Python's block of that number, after the ones before it.
  static void run_python(int last) {
    std::ofstream("page.py") << std::ifstream(std::string(SAMEBITS_GUIDES) + "/python_model_" +
                                              std::to_string(last) + ".py")
                                    .rdbuf();
    ASSERT_EQ(std::system(SAMEBITS_TEST_PYTHON " page.py"), 0);
  }

  const fs::path folder_ = fs::temp_directory_path() / ("samebits_guides_" + std::to_string(getpid()));
};

#include "cpp_model_1.inc"

TEST_F(Guides, CppModelPrintsWhatItSays) {
  const std::string text = printed([] {
#include "cpp_model_2.inc"
  });
  std::ifstream page(SAMEBITS_GUIDES "/cpp_model_printed.txt");
  std::ostringstream expected;
  expected << page.rdbuf();
  EXPECT_EQ(text, expected.str());
}

TEST_F(Guides, MethodsPrintsWhatItSays) {
  const std::string text = printed([] {
#include "methods_1.inc"
  });
  std::ifstream page(SAMEBITS_GUIDES "/methods_printed.txt");
  std::ostringstream expected;
  expected << page.rdbuf();
  EXPECT_EQ(text, expected.str());
}

TEST_F(Guides, PythonModelGoesThereAndBack) {
  run_python(1);
  const std::string text = printed([] {
#include "python_model_1.inc"
  });
  EXPECT_EQ(text, "net.samebits: 0 of 1,000 logits differ (100 images)\n");
  run_python(2);
}

}  // namespace
