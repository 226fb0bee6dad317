#include "sim/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::sim {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HtmlReport, HasTheFiguresAndNeedsNothingElse) {
  RunResult run;
  run.workload = "some-workload";
  run.policy = "some-policy";
  run.curves.timeline.push_back({.at_s = 1.5});
  const std::string page = html_report({.command = "simulate", .runs = {run}});
  EXPECT_THAT(page, HasSubstr("some-workload"));
  EXPECT_THAT(page, HasSubstr("\"at_s\":1.5"));
  for (const char* const outside : {"src=", "href=", "url(", "import ", "fetch("}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
}

TEST(HtmlReport, ANameCannotEndTheScript) {
  RunResult run;
  run.workload = "</script><b>";
  const std::string page = html_report({.runs = {run}});
  EXPECT_THAT(page, HasSubstr("\\u003c/script>"));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
}

}  // namespace
}  // namespace turnpike::sim
