#include "sim/trace_reader.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "sim/simulation.h"
#include "sim/trace_parts.h"

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string error_of(std::string_view text, TraceFormat format = TraceFormat::detect) {
  const Expected<Trace> trace = read_trace(text, format);
  return trace ? "" : trace.error().message;
}

TEST(TraceReader, SaysWhatIsWrongAndWhere) {
  struct Case {
    TraceFormat format;
    std::string_view text;
    std::string_view error;
  };
  using enum TraceFormat;
  const Case cases[] = {
      {mooncake, "", "has no session"},
      {mooncake, "[1]", "line 1: is not a JSON object"},
      {mooncake, "{\"timestamp\":0", "line 1: is not a JSON object"},
      {mooncake, R"({"timestamp":0,"output_length":1,"hash_ids":[]})",
       "line 1: input_length: is missing"},
      {mooncake, R"({"timestamp":-1,"input_length":1,"output_length":1,"hash_ids":[]})",
       "line 1: timestamp: must be between 0 and 1000000000000"},
      {mooncake, R"({"timestamp":0,"input_length":1.5,"output_length":1,"hash_ids":[]})",
       "line 1: input_length: must be a whole number"},
      {mooncake, R"({"timestamp":0,"input_length":1,"output_length":1,"hash_ids":[0,1]})",
       "line 1: hash_ids: has more blocks than input_length"},
      {mooncake, R"({"timestamp":0,"input_length":1,"output_length":1,"hash_ids":["a"]})",
       "line 1: hash_ids: must be whole numbers of at least 0"},
      {mooncake,
       "{\"timestamp\":9,\"input_length\":1,\"output_length\":1,\"hash_ids\":[]}\n\n"
       "{\"timestamp\":8,\"input_length\":1,\"output_length\":1,\"hash_ids\":[]}",
       "line 3: timestamp: is before that of the line above"},
      {coding, R"({"id":"a"})", "line 1: requests: is missing"},
      {coding, R"({"id":"a","block_size":60,"requests":[]})",
       "line 1: block_size: must be a multiple of 16"},
      {coding, R"({"id":7,"requests":[]})", "line 1: id: must be a string"},
      {coding, R"({"id":"a","requests":[5]})", "line 1: requests[0]: must be an object"},
      {coding, R"({"id":"a","requests":[{"in":64,"out":"x"}]})",
       "line 1: requests[0].out: must be a number"},
      {coding, R"({"id":"a","requests":[{"in":64,"out":1,"h":[1]}]})",
       "line 1: requests[0].h: must be pairs of start and length"},
      {coding, R"({"id":"a","requests":[{"in":64,"out":1,"h":[1,99999999]}]})",
       "line 1: requests[0].h: must be whole numbers, and not more than 4 million blocks"},
      {coding, R"({"id":"a","requests":[{"in":64,"out":1},{"requests":[{"in":1}]}]})",
       "line 1: requests[1].requests[0].out: is missing"},
      {csv, "", "is empty"},
      {csv, "a,b\n",
       "line 1: time: no column is called any of timestamp, time, arrival, arrived_at, t"},
      {csv, "time,input,output\n1,2", "line 2: columns: there are 2 instead of 3"},
      {csv, "time,input,output\nx,2,3",
       "line 2: time: must be seconds or a date like 2023-11-16 18:15:46.68"},
      {csv, "time,input,output\n1,2,-3", "line 2: output: must be a number of tokens"},
      {csv, "time,input,output\n", "has no session"},
      {jsonl, R"({"turns":[]})", "line 1: turns: is empty"},
      {jsonl, R"({"turns":[{"append":1}]})", "line 1: turns[0].output: is missing"},
      {jsonl, R"({"turns":[{"append":0,"output":1}]})",
       "line 1: turns[0].append: must be between 1 and 16000000"},
      {jsonl, R"({"turns":[{"append":1,"output":1,"tool_call":1}]})",
       "line 1: turns[0].tool_call: must be true or false"},
      {jsonl, "{\"at\":1,\"turns\":[{\"append\":1,\"output\":1}]}\n{\"turns\":[]}",
       "line 2: at: is missing: all lines have it, or none"},
  };
  for (const Case& c : cases) EXPECT_EQ(error_of(c.text, c.format), c.error) << c.text;
}

TEST(TraceReader, ABadFileIsNamed) {
  const Expected<Trace> trace = read_trace_file("/nowhere/at-all.csv", TraceFormat::detect);
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().message, "/nowhere/at-all.csv: No such file or directory");
}

TEST(TraceReader, FindsFormatsByName) {
  EXPECT_EQ(find_trace_format("mooncake"), TraceFormat::mooncake);
  EXPECT_EQ(find_trace_format("jsonl"), TraceFormat::jsonl);
  EXPECT_EQ(find_trace_format("xml"), std::nullopt);
}

// Two requests, the second of which begins with both whole blocks of the first, and one that has nothing to do with them.
TEST(TraceReader, MooncakeFollowUpsAreTurns) {
  const Expected<Trace> trace = read_trace(
      R"({"timestamp": 1000, "input_length": 1100, "output_length": 100, "hash_ids": [0, 1, 2]}
{"timestamp": 2000, "input_length": 700, "output_length": 5, "hash_ids": [0, 9]}
{"timestamp": 4000, "input_length": 2000, "output_length": 50, "hash_ids": [0, 1, 3, 4]}
)",
      TraceFormat::detect);
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->sessions.size(), 2U);
  EXPECT_THAT(trace->begins, testing::ElementsAre(seconds(1), seconds(2)));
  const Session& first = trace->sessions[0];
  ASSERT_EQ(first.turns.size(), 2U);
  EXPECT_EQ(first.prompt_tokens(0), TokenCount(1100));
  EXPECT_EQ(first.prompt_tokens(1), TokenCount(2000));
  EXPECT_EQ(first.turns[1].due, seconds(3));
  EXPECT_EQ(first.turns[1].gap, seconds(3));
  // What the answer was made of is told by the next prompt: 2 blocks of 1200 tokens. So they have been computed.
  EXPECT_EQ(trace_parts::count(first.turns[0].pieces), 2U);
  EXPECT_EQ(first.turns[1].kept, TokenCount(1024));
  // The other begins with the block that all have.
  EXPECT_EQ(trace->sessions[1].turns[0].kept, TokenCount(512));

  std::vector<engine::BlockHash> before;
  std::vector<engine::BlockHash> after;
  first.chain_of_turn(0, before);
  first.chain_of_turn(1, after);
  ASSERT_EQ(before.size(), 1200U / 16);
  ASSERT_EQ(after.size(), 2050U / 16);
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 64, after.begin()));
  EXPECT_NE(before[64], after[64]);
}

// A block of the trace is a block of the engine, so everything is a quarter of what it says.
TEST(TraceReader, CodingSessionsKeepPausesPrefixesAndSubAgents) {
  const Expected<Trace> trace = read_trace(
      R"({"id":"a","block_size":64,"tool_tokens":128,"system_tokens":64,"requests":[)"
      R"({"in":640,"out":64,"stop":"tool_use","h":[1,10],"think_time":9},)"
      R"({"type":"subagent","duration_ms":4000,"requests":[{"in":320,"out":64,"h":[50,5]}]},)"
      R"({"in":960,"out":128,"stop":"end_turn","h":[1,15],"think_time":2.5},)"
      R"({"in":320,"out":64,"h":[1,3,90,2],"think_time":1}]})"
      "\n"
      R"({"id":"b","block_size":64,"tool_tokens":128,"system_tokens":0,"requests":[{"in":640,"out":64,"h":[1,10]}]})",
      TraceFormat::detect);
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->sessions.size(), 2U);
  EXPECT_TRUE(trace->begins.empty());
  const Session& a = trace->sessions[0];
  ASSERT_EQ(a.turns.size(), 3U);
  EXPECT_EQ(a.prompt_tokens(0), TokenCount(160));
  EXPECT_EQ(a.prompt_tokens(1), TokenCount(240));
  EXPECT_EQ(a.prompt_tokens(2), TokenCount(80)) << "cut short";
  EXPECT_EQ(a.turns[0].gap, Duration(0));
  EXPECT_EQ(a.turns[1].gap, milliseconds(2500));
  EXPECT_TRUE(a.turns[0].calls_tool);
  EXPECT_FALSE(a.turns[1].calls_tool);
  EXPECT_EQ(a.turns[1].kept, TokenCount(11 * 16 - 1))
      << "prompt and answer, but for its last token";
  EXPECT_EQ(a.turns[2].kept, TokenCount(3 * 16));
  ASSERT_EQ(a.children.size(), 1U);
  EXPECT_EQ(a.children[0].after_turn, 0U);
  EXPECT_EQ(a.children[0].session->turns.size(), 1U);

  std::vector<engine::BlockHash> chain_a;
  std::vector<engine::BlockHash> chain_b;
  a.chain_of_turn(0, chain_a);
  trace->sessions[1].chain_of_turn(0, chain_b);
  EXPECT_TRUE(std::equal(chain_a.begin(), chain_a.begin() + 2, chain_b.begin())) << "the tools";
  EXPECT_NE(chain_a[2], chain_b[2]);
}

TEST(TraceReader, CsvTakesNumbersAndDates) {
  const Expected<Trace> trace = read_trace(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5,374,44\n"
      "2023-11-17 00:00:00.75,396,109",
      TraceFormat::detect);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_THAT(
      trace->begins,
      testing::ElementsAre(Duration(0), milliseconds((5 * 3600 + 44 * 60 + 14) * 1000 + 250)));
  EXPECT_EQ(trace->sessions[1].prompt_tokens(0), TokenCount(396));
  EXPECT_FALSE(trace->sessions[1].identified);

  const Expected<Trace> sorted =
      read_trace("t, output ,input,tenant\r\n3,1,2,x\r\n1,4,5,y\r\n", TraceFormat::detect);
  ASSERT_TRUE(sorted) << sorted.error().message;
  EXPECT_THAT(sorted->begins, testing::ElementsAre(Duration(0), seconds(2)));
  EXPECT_EQ(sorted->sessions[0].tenant, "y");
  EXPECT_EQ(sorted->sessions[0].prompt_tokens(0), TokenCount(5));
}

TEST(TraceReader, OwnFormat) {
  const Expected<Trace> trace = read_trace(
      R"({"at":0.5,"tenant":"x","shared":"s","shared_tokens":300,"turns":[{"append":100,"output":10,"tool_call":true},{"append":20,"output":5,"gap":0.25}]})"
      "\n"
      R"({"at":0.5,"shared":"s","shared_tokens":300,"turns":[{"append":1,"output":1}]})",
      TraceFormat::detect);
  ASSERT_TRUE(trace) << trace.error().message;
  const Session& session = trace->sessions[0];
  EXPECT_EQ(session.tenant, "x");
  EXPECT_EQ(session.prompt_tokens(0), TokenCount(400));
  EXPECT_EQ(session.prompt_tokens(1), TokenCount(430));
  EXPECT_TRUE(session.turns[0].calls_tool);
  EXPECT_EQ(session.turns[1].gap, milliseconds(250));
  EXPECT_EQ(session.shared_text, trace->sessions[1].shared_text);
  EXPECT_NE(session.text, trace->sessions[1].text);
}

TEST(TraceReader, ReadsWhatIsCompressed) {
  const std::string file = std::filesystem::temp_directory_path() / "turnpike-trace-test.csv.gz";
  const std::string text = "time,input,output\n0,10,20\n";
  gzFile out = ::gzopen(file.c_str(), "wb");
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(::gzwrite(out, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  ::gzclose(out);
  const Expected<Trace> trace = read_trace_file(file, TraceFormat::detect);
  std::filesystem::remove(file);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->sessions[0].turns[0].output, TokenCount(20));
}

// A trace is played as it is: each request once, at its moment, with its tokens.
TEST(TraceReader, ATraceIsPlayed) {
  const Expected<Trace> trace = read_trace(
      R"({"timestamp": 0, "input_length": 1100, "output_length": 100, "hash_ids": [0, 1, 2]}
{"timestamp": 60000, "input_length": 2000, "output_length": 50, "hash_ids": [0, 1, 3, 4]}
)",
      TraceFormat::detect);
  ASSERT_TRUE(trace);
  SimulationParams params;
  params.workload.trace = std::make_shared<Trace>(*trace);
  params.workload.rate = 1;
  params.workload.sessions = 1;
  params.policy = *core::preset("least-request");
  params.workload.replicas = 1;
  const RunResult result = Simulation(params).run();
  EXPECT_EQ(result.requests.finished, 2U);
  EXPECT_EQ(result.prompt_tokens, 3100);
  EXPECT_EQ(result.output_tokens, 150);
  EXPECT_EQ(result.cached_tokens, 1024);
  EXPECT_EQ(result.recomputed_tokens, 0);
  EXPECT_GT(result.duration_s, 60);
  params.workload.pace = 2;
  EXPECT_NEAR(Simulation(params).run().duration_s, result.duration_s - 30, 0.01);
}

}  // namespace
}  // namespace turnpike::sim
