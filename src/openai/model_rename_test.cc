#include "openai/model_rename.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace turnpike::openai {
namespace {

// Cut at `at`, as two reads would.
std::string renamed(std::string_view text, std::size_t at, bool event_stream) {
  ModelRename rename("big", "alias \"x\"", event_stream);
  std::string out;
  for (const std::string_view part : {text.substr(0, at), text.substr(at)}) {
    std::vector<std::string_view> pieces;
    rename.clear();
    rename.feed(part, pieces);
    for (const std::string_view piece : pieces) out += piece;
  }
  std::vector<std::string_view> rest;
  rename.clear();
  rename.finish(rest);
  for (const std::string_view piece : rest) out += piece;
  return out;
}

void expect(std::string_view text, std::string_view wanted, bool event_stream = false) {
  for (std::size_t at = 0; at <= text.size(); ++at)
    ASSERT_EQ(renamed(text, at, event_stream), wanted) << "cut at " << at;
}

TEST(ModelRename, TheTopLevelIsRenamedWhereverTheFieldStands) {
  expect(R"({"model":"big","choices":[]})", R"({"model":"alias \"x\"","choices":[]})");
  expect(R"({"choices":[{"delta":{"content":"a"}}], "model" : "big" , "usage":null})",
         R"({"choices":[{"delta":{"content":"a"}}], "model" : "alias \"x\"" , "usage":null})");
}

TEST(ModelRename, ResponsesAndMessagesAreRenamedInside) {
  expect(R"({"type":"response.created","response":{"id":"r","model":"big"}})",
         R"({"type":"response.created","response":{"id":"r","model":"alias \"x\""}})");
  expect(R"({"type":"message_start","message":{"model":"big","usage":{}}})",
         R"({"type":"message_start","message":{"model":"alias \"x\"","usage":{}}})");
}

TEST(ModelRename, NothingElseIs) {
  for (const std::string_view text : {
           R"({"choices":[{"model":"big"}]})",
           R"({"metadata":{"model":"big"}})",
           R"({"response":{"metadata":{"model":"big"}}})",
           R"({"text":"\"model\":\"big\"","model":"bigger"})",
           R"({"model":"bi"})",
           R"({"model":["big"]})",
           R"({"a":"model","b":"big"})",
           R"({"mode":"big","model2":"big","xmodel":"big"})",
           R"(["model","big"])",
           R"("model":"big")",
           R"({"model":"big)",  // torn
           R"({"a":"\\","model":"bug"})",
       })
    expect(text, text);
}

TEST(ModelRename, EveryEventOfAStreamIsLookedAtAnew) {
  expect(
      "data: {\"model\":\"big\"}\n\ndata: {\"model\":\"big\",\"x\":{\n\n: \"model\"\ndata: "
      "{\"model\":\"big\"}\n\ndata: [DONE]\n\n",
      "data: {\"model\":\"alias \\\"x\\\"\"}\n\ndata: {\"model\":\"alias \\\"x\\\"\",\"x\":{\n\n: "
      "\"model\"\ndata: {\"model\":\"alias \\\"x\\\"\"}\n\ndata: [DONE]\n\n",
      true);
}

}  // namespace
}  // namespace turnpike::openai
