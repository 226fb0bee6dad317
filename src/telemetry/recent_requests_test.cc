#include "telemetry/recent_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::telemetry {
namespace {

using std::chrono::seconds;

TimePoint at(int second) {
  return TimePoint(seconds(1000 + second));
}

RecentRequest request(std::string id, int arrived, int dispatched, unsigned model = 1) {
  RecentRequest r;
  r.record.request_id = std::move(id);
  r.model = ModelId(model);
  r.arrived = at(arrived);
  r.dispatched = at(dispatched);
  return r;
}

std::vector<std::string> ids(const std::vector<RecentRequest>& list) {
  std::vector<std::string> names;
  for (const RecentRequest& r : list) names.push_back(r.record.request_id);
  return names;
}

TEST(RecentRequests, TheOldestOfItsRingGoesWhenItIsFull) {
  RecentRequests recent(3, 2);
  for (int i = 0; i < 5; ++i) recent.add(0, request(std::to_string(i), i, i));
  recent.add(1, request("other", 0, 0));
  EXPECT_EQ(recent.size(), 4U);
  EXPECT_FALSE(recent.find("0"));
  EXPECT_FALSE(recent.find("1"));
  for (const char* id : {"2", "3", "4", "other"}) EXPECT_TRUE(recent.find(id)) << id;
}

TEST(RecentRequests, OfTwoWithOneIdTheLaterIsFound) {
  RecentRequests recent(8, 2);
  recent.add(1, request("a", 7, 9));
  recent.add(0, request("a", 3, 4));
  EXPECT_EQ(recent.find("a")->arrived, at(7));
}

TEST(RecentRequests, ThoseThatPassedArrivedLaterAndWentFirst) {
  RecentRequests recent(16, 1);
  recent.add(0, request("earlier", 0, 5));
  recent.add(0, request("passed", 3, 5));
  recent.add(0, request("later", 3, 12));
  recent.add(0, request("elsewhere", 3, 5, 2));
  const RecentRequest waited = request("waited", 1, 10);
  recent.add(0, waited);
  EXPECT_THAT(ids(recent.passed(waited, 10)), testing::ElementsAre("passed"));
  EXPECT_TRUE(recent.passed(waited, 0).empty());
}

TEST(RecentRequests, WhoNeverWentWasPassedUntilHisEnd) {
  RecentRequests recent(16, 1);
  recent.add(0, request("passed", 3, 5));
  recent.add(0, request("too late", 3, 40));
  RecentRequest refused = request("refused", 1, 0);
  refused.dispatched = TimePoint::max();
  refused.record.total = seconds(30);
  EXPECT_THAT(ids(recent.passed(refused, 10)), testing::ElementsAre("passed"));
}

TEST(RecentRequests, NothingIsKeptWhenItIsOff) {
  RecentRequests recent(0, 4);
  recent.add(2, request("a", 1, 1));
  EXPECT_FALSE(recent.on());
  EXPECT_EQ(recent.size(), 0U);
  EXPECT_FALSE(recent.find("a"));
}

}  // namespace
}  // namespace turnpike::telemetry
