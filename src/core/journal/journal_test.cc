#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/fields.h"
#include "base/random.h"
#include "core/journal/journal_reader.h"
#include "core/journal/journal_writer.h"
#include "core/journal/recorded_requests.h"
#include "core/journal/replay.h"
#include "core/pool/history_test_support.h"

namespace turnpike::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{std::chrono::hours(1)};

Submission submission(std::uint64_t id) {
  return {.id = RequestId(id),
          .model = ModelId(3),
          .session = SessionKey(0x1234567890abcdefULL),
          .tenant = TenantKey(77),
          .prompt_tokens = TokenCount(2'000),
          .body_bytes = ByteCount(8'100),
          .prompt_hash = 0xfeedfeedfeedfeedULL,
          .streaming = true,
          .tenant_weight = 0.3,
          .priority = -2,
          .deadline = kStart + seconds(9),
          .parent = SessionKey(5),
          .blocks = {11, 12, 13}};
}

std::vector<JournalRecord> read_all(std::string_view bytes) {
  std::vector<JournalRecord> records;
  JournalReader reader(bytes);
  while (true) {
    auto record = reader.next();
    if (!record) {
      ADD_FAILURE() << record.error().message;
      break;
    }
    if (!*record) break;
    records.push_back(std::move(**record));
  }
  return records;
}

template <typename E>
std::string plain(const E& event) {
  std::string bytes;
  journal::Context context;
  journal::Encoder(bytes, context).put(event);
  return bytes;
}

// Every member of every event, compared as it would be written by itself.
void expect_equal(const JournalEvent& a, const JournalEvent& b) {
  ASSERT_EQ(a.index(), b.index());
  std::visit([&]<typename E>(const E& event) { EXPECT_EQ(plain(event), plain(std::get<E>(b))); },
             a);
}

TEST(Journal, GivesBackEveryEventAsItWas) {
  PoolParams params = *preset("fair-share");
  params.waits.queue_timeout = kForever;
  params.placement.scorers = {{Scorer::random, 0.1}};
  const std::vector<JournalRecord> records = {
      {kStart, 0, journal::Opened{params}},
      {kStart, 1, journal::Opened{PoolParams{}}},
      {kStart + milliseconds(1), 0,
       journal::EndpointAdded{{EndpointId(4), "e", {ModelId(1), ModelId(3)}, 7, TokenCount(9)}}},
      {kStart + milliseconds(1), 1, journal::Submitted{submission((std::uint64_t{2} << 56U) + 1)}},
      {kStart + milliseconds(1), 0, journal::Submitted{submission(2)}},
      {kStart + milliseconds(1), 0, journal::Submitted{{.id = RequestId(3)}}},
      {kStart + seconds(5), 0, journal::FirstToken{RequestId(3)}},
      {kStart + seconds(5), 0,
       journal::Settled{RequestId(3),
                        {Ending::cancelled, {TokenCount(1), {}, TokenCount(3)}, true}}},
      {kStart + seconds(6), 0,
       journal::Failed{RequestId(2), FailureKind::saturated, FailedPart::prompt}},
      {kStart + seconds(6), 0, journal::Cancelled{RequestId(2)}},
      {kStart + seconds(6), 0,
       journal::Observed{EndpointId(4),
                         {1, 2, 0.25, TokenCount(100), 77.0, {ModelId(5), ModelId(6)}, 4},
                         kStart}},
      {kStart + seconds(6), 0, journal::DrainingSet{EndpointId(4), true}},
      {kStart + seconds(6), 0, journal::HealthSet{EndpointId(4), false}},
      {kStart + seconds(6), 0, journal::ModelsSet{EndpointId(4), {ModelId::none()}}},
      {kStart + seconds(6), 0, journal::CacheForgotten{EndpointId(4)}},
      {kStart + seconds(6), 0, journal::SessionEnded{SessionKey::none()}},
      {kStart + seconds(7), 0, journal::PolicySet{params}},
      {kStart + seconds(8), 0, journal::Advanced{}},
      {kStart + seconds(8), 0, journal::EndpointRemoved{EndpointId(4)}},
      {kStart + seconds(8), 0, journal::Absorbed{1}},
  };
  JournalWriter writer(9);
  writer.begin_segment(kStart, 1'700'000'000'000'000'000);
  for (const JournalRecord& record : records) {
    std::visit(
        [&]<typename E>(const E& event) {
          std::apply([&](const auto&... m) { writer.record<E>(record.pool, record.at, m...); },
                     fields(event));
        },
        record.event);
  }
  const std::vector<JournalRecord> read = read_all(writer.bytes());
  ASSERT_EQ(read.size(), records.size() + 1);
  const auto& began = std::get<journal::Began>(read[0].event);
  EXPECT_EQ(began.journal, 9U);
  EXPECT_EQ(began.wall_clock_ns, 1'700'000'000'000'000'000);
  EXPECT_EQ(read[0].at, kStart);
  for (std::size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(read[i + 1].at, records[i].at);
    EXPECT_EQ(read[i + 1].pool, records[i].pool);
    expect_equal(read[i + 1].event, records[i].event);
  }
}

// A decision with all its members, as bytes.
std::vector<std::string> plain(const std::vector<Decision>& decisions) {
  std::vector<std::string> all;
  for (const Decision& decision : decisions) {
    std::visit([&](const auto& d) { all.push_back(plain(d)); }, decision);
  }
  return all;
}

std::vector<PoolParams> policies() {
  std::vector<PoolParams> all;
  for (const std::string_view name : preset_names()) all.push_back(*preset(name));
  PoolParams tight;
  tight.policy = "tight";
  tight.admission.limit = 2;
  tight.limits = {.max_requests = 20, .max_bytes = ByteCount(60'000), .max_tenant_requests = 8};
  tight.order.tenants = TenantOrder::vtc;
  tight.grace.period = milliseconds(300);
  all.push_back(tight);
  return all;
}

TEST(Journal, ReplayedHistoriesGiveTheSameDecisionsBitForBit) {
  std::uint64_t seed = 1;
  for (const PoolParams& params : policies()) {
    SCOPED_TRACE(params.policy);
    JournalWriter writer(1);
    History history(params, &writer);
    Random random(++seed);
    for (int i = 0; i < 3'000; ++i) {
      history.play(random_step(random));
      if (i % 700 == 0) writer.begin_segment(history.now(), 0);  // changes nothing
    }
    history.finish();
    ASSERT_EQ(history.fault(), "");

    Replay replay;
    std::vector<Decision> decisions;
    for (const JournalRecord& record : read_all(writer.bytes())) {
      replay.play(record);
      if (Pool* pool = replay.pool(record.pool)) {
        for (const Decision& decision : pool->take_decisions()) decisions.push_back(decision);
      }
    }
    EXPECT_EQ(replay.passed_over(), 0U);
    EXPECT_GT(decisions.size(), 300U);
    EXPECT_EQ(plain(decisions), plain(history.decisions()));
  }
}

std::string recorded_history(std::size_t events) {
  JournalWriter writer(1);
  History history(*preset("session-boost"), &writer);
  Random random(5);
  for (std::size_t i = 0; i < events; ++i) history.play(random_step(random));
  return std::string(writer.bytes());
}

TEST(Journal, EveryTruncationIsFoundWhereItIs) {
  const std::string whole = recorded_history(60);
  std::size_t boundaries = 0;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    JournalReader reader(std::string_view(whole).substr(0, size));
    auto record = reader.next();
    while (record && *record) record = reader.next();
    if (record) {
      ++boundaries;  // cut between two records
      EXPECT_EQ(reader.offset(), size);
      continue;
    }
    EXPECT_TRUE(reader.broken_off()) << record.error().message;
    EXPECT_LE(reader.offset(), size);
    EXPECT_EQ(record.error().message.find("offset "), 0U);
    EXPECT_FALSE(reader.next().has_value());  // and stays found
  }
  EXPECT_GT(boundaries, 50U);
}

TEST(Journal, ChangedBytesNeverBreakTheReader) {
  const std::string whole = recorded_history(60);
  std::size_t errors = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const unsigned flip : {0x01U, 0x40U, 0x80U, 0xFFU}) {
      std::string broken = whole;
      broken[at] = static_cast<char>(static_cast<unsigned char>(broken[at]) ^ flip);
      JournalReader reader(broken);
      auto record = reader.next();
      while (record && *record) record = reader.next();
      errors += record ? 0 : 1;
    }
  }
  EXPECT_GT(errors, whole.size());
}

TEST(Journal, SaysWhatItCannotRead) {
  const auto error_of = [](std::string_view bytes) {
    JournalReader reader(bytes);
    auto record = reader.next();
    while (record && *record) record = reader.next();
    return record ? std::string() : record.error().message;
  };
  EXPECT_EQ(error_of(""), "");
  EXPECT_EQ(error_of("hello, world"), "offset 4: this is no journal");
  std::string other = recorded_history(1);
  other[5] = static_cast<char>(other[5] + 1);
  EXPECT_EQ(error_of(other), "offset 12: a journal of another version of turnpike");
  std::string unknown = recorded_history(1);
  const std::size_t end = unknown.size();
  unknown.push_back('\x3E');
  EXPECT_EQ(error_of(unknown), "offset " + std::to_string(end + 1) + ": an unknown event");
}

// A journal whose beginning is lost, or whose middle is, can be read from any segment on.
TEST(Journal, ASegmentStandsByItself) {
  JournalWriter writer(1);
  Pool pool(*preset("session-boost"));
  TimePoint now = kStart;
  writer.begin_segment(now, 0);
  pool.record_to(writer, 0, now);
  for (unsigned e = 1; e <= 3; ++e) {
    pool.add_endpoint(
        {.id = EndpointId(e), .name = "e" + std::to_string(e), .models = {ModelId(3)}}, now);
  }
  pool.set_draining(EndpointId(2), true, now);
  pool.set_healthy(EndpointId(3), false, now);
  pool.remove_endpoint(EndpointId(1), now);
  pool.add_endpoint({.id = EndpointId(5), .name = "e5", .models = {ModelId(3)}}, now);
  pool.submit(submission(1), now);
  const std::string first(writer.bytes());
  writer.taken();

  now += seconds(1);
  writer.begin_segment(now, 0);
  pool.settle(RequestId(1), {}, now);
  pool.submit(submission(2), now);
  const std::string second(writer.bytes());

  const auto play = [](const std::vector<std::string_view>& pieces, std::uint64_t& began) {
    Replay replay;
    JournalReader reader{std::string_view{}};
    for (const std::string_view piece : pieces) {
      reader.continue_with(piece);
      for (auto record = reader.next(); record && *record; record = reader.next()) {
        began += std::holds_alternative<journal::Began>((*record)->event) ? 1U : 0U;
        replay.play(**record);
      }
    }
    return replay;
  };
  std::uint64_t began = 0;
  Replay both = play({first, second}, began);
  EXPECT_EQ(began, 1U);
  EXPECT_EQ(both.passed_over(), 0U);
  ASSERT_EQ(both.pool(0)->take_decisions().size(), 2U);

  began = 0;
  Replay late = play({second}, began);
  EXPECT_EQ(began, 1U);
  EXPECT_EQ(late.passed_over(), 1U);  // the end of a request that nobody has seen begin
  const std::vector<Decision> decisions = late.pool(0)->take_decisions();
  ASSERT_EQ(decisions.size(), 1U);
  EXPECT_EQ(std::get<Dispatch>(decisions[0]).endpoint, EndpointId(5));
  EXPECT_EQ(late.pool(0)->endpoints(now).size(), 3U);

  // Whole records are missing at the end of the first: that is a gap, too.
  began = 0;
  std::string_view cut = first;
  JournalReader reader(first);
  for (std::size_t last = 0; reader.next()->has_value(); last = reader.offset())
    cut = std::string_view(first).substr(0, last);
  EXPECT_EQ(play({cut, second}, began).passed_over(), 1U);
  EXPECT_EQ(began, 2U);

  // The second piece says that it continues the first one, which broke off here.
  const auto requests =
      read_requests({std::string_view(first).substr(0, first.size() - 3), second});
  ASSERT_TRUE(requests.has_value());
  EXPECT_EQ(requests->gaps, 1U);
  ASSERT_EQ(requests->requests.size(), 1U);
  EXPECT_EQ(requests->requests[0].submission.id, RequestId(2));
}

TEST(Journal, ListsRequestsWithWhatBecameOfThem) {
  JournalWriter writer(1);
  Pool pool(*preset("session-boost"));
  writer.begin_segment(kStart, 0);
  pool.record_to(writer, 0, kStart);
  pool.add_endpoint({.id = EndpointId(1), .name = "e", .models = {ModelId(3)}}, kStart);
  pool.submit(submission(1), kStart);
  pool.submit(submission(2), kStart + seconds(1));
  pool.first_token(RequestId(1), kStart + seconds(2));
  pool.failed(RequestId(2), FailureKind::refused, kStart + seconds(2));
  pool.settle(RequestId(1),
              {.usage = {.prompt_tokens = TokenCount(2'100),
                         .cached_tokens = TokenCount(100),
                         .output_tokens = TokenCount(40)},
               .ended_in_tool_call = true},
              kStart + seconds(3));

  const auto read = read_requests({writer.bytes()});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->gaps, 0U);
  ASSERT_EQ(read->requests.size(), 2U);
  const RecordedRequest& one = read->requests[0];
  EXPECT_EQ(one.arrival, kStart);
  EXPECT_EQ(one.submission.session, submission(1).session);
  EXPECT_EQ(one.submission.blocks, submission(1).blocks);
  EXPECT_EQ(one.first_token, kStart + seconds(2));
  EXPECT_EQ(one.ended, kStart + seconds(3));
  ASSERT_TRUE(one.settlement.has_value());
  EXPECT_EQ(one.settlement->usage.output_tokens, TokenCount(40));
  EXPECT_TRUE(one.settlement->ended_in_tool_call);
  EXPECT_EQ(read->requests[1].attempts_failed, 1);
  EXPECT_FALSE(read->requests[1].settlement);
}

// A conversation's prompt grows by a few blocks a turn; what it began with is not written again.
TEST(Journal, ATurnCostsLittleMoreThanItsNewBlocks) {
  JournalWriter writer(1);
  Pool pool(*preset("session-boost"));
  TimePoint now = kStart;
  writer.begin_segment(now, 0);
  pool.record_to(writer, 0, now);
  pool.add_endpoint({.id = EndpointId(1), .name = "e", .models = {ModelId(3)}}, now);
  Submission turn = submission(0);
  turn.deadline.reset();
  turn.blocks.clear();
  Random random(1);
  for (int i = 0; i < 200; ++i) turn.blocks.push_back(random.next());
  const auto play = [&](std::uint64_t id) {
    now += milliseconds(7) + Duration(random.below(1'000'000));
    turn.id = RequestId(id);
    turn.session = SessionKey(random.next());
    turn.prompt_hash = random.next();
    turn.prompt_tokens += TokenCount(100);
    turn.body_bytes += ByteCount(400);
    turn.blocks.push_back(random.next());
    pool.submit(turn, now);
    now += milliseconds(300) + Duration(random.below(1'000'000));
    pool.first_token(turn.id, now);
    now += milliseconds(900) + Duration(random.below(1'000'000));
    pool.settle(turn.id, {.usage = {TokenCount(2'000), TokenCount(1'900), TokenCount(180)}}, now);
  };
  play(1);
  writer.taken();
  for (std::uint64_t id = 2; id < 102; ++id) play(id);
  EXPECT_LE(writer.bytes().size() / 100, 66U + 8U);
}

}  // namespace
}  // namespace turnpike::core
