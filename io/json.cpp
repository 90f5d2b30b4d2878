// Two passes, each linear: one looks for what nlohmann's parser takes without a word, the other makes the
// value. nlohmann's own callback could do both, but goes through an object's members again for each that
// ends.
#include "io/json.h"

#include <string_view>
#include <unordered_set>
#include <vector>

#include "io/error.h"

namespace samebits::io {
namespace {

using Json = nlohmann::json;

/// "[json.exception.parse_error.101] parse error at line 1, column 7: …": the middle says enough.
std::string reason_of(const std::exception& error) {
  const std::string what = error.what();
  const std::size_t begin = what.find(' ') + 1;
  return "expected JSON, got a " + shortened(what.substr(begin, what.find(':', begin) - begin));
}

class Checker : public nlohmann::json_sax<Json> {
 public:
  const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return is_shallow();
  }
  bool key(std::string& name) override {
    if (keys_.back().insert(name).second) return true;
    return stop(join("expected every key once, got ", shortened(Json(name).dump()), " twice"));
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override {
    keys_.emplace_back();
    return is_shallow();
  }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    return stop(reason_of(error));
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(binary_t&) override { return true; }

 private:
  static constexpr std::size_t kMaxDepth = 16;

  bool is_shallow() {
    return keys_.size() <= kMaxDepth ||
           stop(join("expected at most ", kMaxDepth, " nested brackets, got more"));
  }
  bool close() {
    keys_.pop_back();
    return true;
  }
  bool stop(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  std::vector<std::unordered_set<std::string>> keys_;  // of each open bracket; none of an array
  std::string problem_;
};

}  // namespace

nlohmann::json parse_json(const std::string& text) {
  // nlohmann takes a NUL for the end of the text, whatever follows it.
  if (const std::size_t nul = text.find('\0'); nul != std::string::npos)
    throw JsonError(join("expected JSON, got a NUL at byte ", nul));
  Checker checker;
  if (!Json::sax_parse(text, &checker)) throw JsonError(checker.problem());
  return Json::parse(text);
}

}  // namespace samebits::io
