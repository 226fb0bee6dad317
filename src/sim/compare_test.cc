#include "sim/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/report.h"

namespace turnpike::sim {
namespace {

using testing::HasSubstr;
using testing::Not;

nlohmann::ordered_json file_of(double tokens_per_s, std::string policy) {
  RunResult run;
  run.workload = "w";
  run.policy = std::move(policy);
  run.output_tokens_per_s = tokens_per_s;
  run.ttft_s.p50 = 2;
  return to_json(ResultFile{.started = "then", .runs = {run}});
}

TEST(Compare, SaysWhatChangedAndByHowMuch) {
  const std::string text = comparison(file_of(100, "p"), file_of(125, "p"));
  EXPECT_THAT(text, HasSubstr("w, p:\n"));
  EXPECT_THAT(text, HasSubstr("+25.0 %  better"));
  EXPECT_THAT(text, Not(HasSubstr("TTFT p50")));
  EXPECT_THAT(comparison(file_of(100, "p"), file_of(80, "p")), HasSubstr("-20.0 %  worse"));
  EXPECT_THAT(comparison(file_of(100, "p"), file_of(100, "p")), HasSubstr("nothing has changed"));
}

TEST(Compare, NamesWhatOnlyOneHas) {
  const std::string text = comparison(file_of(1, "old"), file_of(1, "new"));
  EXPECT_THAT(text, HasSubstr("w, new: is new"));
  EXPECT_THAT(text, HasSubstr("w, old: only in the earlier file"));
}

TEST(Compare, KnowsAResultFile) {
  EXPECT_EQ(not_a_result_file(file_of(1, "p")), "");
  for (const char* const text : {"[]", "{}", R"({"schema":2,"runs":[]})", R"({"schema":1})",
                                 R"({"schema":1,"runs":[{"workload":"w"}]})"}) {
    EXPECT_NE(not_a_result_file(nlohmann::ordered_json::parse(text)), "") << text;
  }
}

}  // namespace
}  // namespace turnpike::sim
