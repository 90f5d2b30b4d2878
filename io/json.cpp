// One parse with a callback: no second walk over the text.
#include "io/json.h"

#include <set>
#include <vector>

#include "io/error.h"

namespace samebits::io {

nlohmann::json parse_json(const std::string& text) {
  using Json = nlohmann::json;
  using Event = Json::parse_event_t;
  constexpr int kMaxDepth = 16;
  std::vector<std::set<std::string>> keys;  // of each open object
  const auto check_event = [&](int depth, Event event, Json& parsed) {
    if (depth > kMaxDepth)
      throw JsonError(join("expected at most ", kMaxDepth, " nested brackets, got more"));
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw JsonError(join("expected every key once, got ", shortened(parsed.dump()), " twice"));
    return true;
  };
  try {
    return Json::parse(text, check_event);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 7: …": the middle says enough.
    const std::string what = error.what();
    const std::size_t begin = what.find(' ') + 1;
    throw JsonError("expected JSON, got a " + shortened(what.substr(begin, what.find(':', begin) - begin)));
  }
}

}  // namespace samebits::io
