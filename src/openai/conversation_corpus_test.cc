#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/byte_buffer.h"
#include "openai/answer_notes.h"
#include "openai/body.h"
#include "openai/conversation_index.h"
#include "openai/route.h"

// Requests as real clients shape them (tests/corpus/make_conversations.py), all files at the same time against one index.
namespace turnpike::openai {
namespace {

using Json = nlohmann::ordered_json;
using Turn = ConversationIndex::Turn;

struct Tally {
  int requests = 0;
  int turns = 0;         // that continue a conversation
  int missed = 0;        // of those, found to be new
  int false_merges = 0;  // found to be of a conversation that they are not of
  int branches = 0;      // that come from a known conversation
  int orphans = 0;       // of those, without their parent
};

class Player {
 public:
  void play(const Json& line, std::size_t number) {
    const std::string name = line.at("conversation");
    if (line.contains("release")) {
      for (const auto& [turn, answer] : std::exchange(held_[name], {})) end(turn, answer);
      return;
    }
    const std::string client = line.at("client");
    Tally& tally = tallies_[client];
    ByteBuffer body;
    body.append(line.at("body").dump());
    const auto facts =
        scanner_.scan(find_route("POST", std::string(line.at("route"))), body.view());
    ASSERT_TRUE(facts) << client << ", line " << number;
    now_ += std::chrono::milliseconds(10);
    const auto turn = index_.begin(1, facts->conversation, facts->blocks, body.view(), now_);
    ASSERT_TRUE(turn) << client << ", line " << number;
    ++tally.requests;

    const auto known = session_of_.find(name);
    const auto owner = owner_of_.find(turn->session);
    const bool continues = known != session_of_.end() && known->second == turn->session;
    if (owner != owner_of_.end() && owner->second != name) {
      ++tally.false_merges;
      ADD_FAILURE() << client << ", line " << number << ": " << name << " was taken for "
                    << owner->second;
    }
    if (known != session_of_.end()) {
      ++tally.turns;
      if (!continues) {
        ++tally.missed;
        std::printf("missed: %s, line %zu (%s)\n", client.c_str(), number, name.c_str());
      }
    }
    if (line.contains("parent")) {
      ++tally.branches;
      if (turn->parent != session_of_.at(line.at("parent"))) ++tally.orphans;
    }
    session_of_[name] = turn->session;
    owner_of_[turn->session] = name;
    if (line.value("held", false)) {
      held_[name.substr(0, name.find('/'))].emplace_back(*turn, line);
    } else {
      end(*turn, line);
    }
  }

  [[nodiscard]] const std::map<std::string, Tally>& tallies() const { return tallies_; }

 private:
  void end(const Turn& turn, const Json& line) {
    AnswerNotes notes(line.at("route") == "/v1/responses");
    bool answered = true;
    if (line.contains("events")) {
      for (const Json& event : line.at("events")) {
        if (!event.is_string()) notes.event(event.dump());
      }
    } else if (line.at("answer").is_null()) {
      answered = false;
    } else {
      notes.bytes(line.at("answer").dump());
    }
    index_.end(turn, answered, notes.sign(), now_);
  }

  BodyScanner scanner_;
  ConversationIndex index_{{}, 1};
  TimePoint now_{};
  std::map<std::string, Tally> tallies_;
  std::map<std::string, SessionKey> session_of_;
  std::map<SessionKey, std::string> owner_of_;
  std::map<std::string, std::vector<std::pair<Turn, Json>>> held_;
};

std::map<std::string, std::vector<Json>> corpus() {
  std::map<std::string, std::vector<Json>> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(TURNPIKE_SOURCE_DIR "/tests/corpus/conversations")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);)
      files[entry.path().stem()].push_back(Json::parse(line));
  }
  return files;
}

TEST(ConversationCorpus, NoFalseMergesAndAtMostOneLinkInAHundredMissed) {
  const auto files = corpus();
  ASSERT_GE(files.size(), 25U);
  Player player;
  std::size_t longest = 0;
  for (const auto& [name, lines] : files) longest = std::max(longest, lines.size());
  for (std::size_t i = 0; i < longest; ++i) {
    for (const auto& [name, lines] : files) {
      if (i < lines.size()) player.play(lines[i], i + 1);
    }
  }
  Tally all;
  for (const auto& [client, tally] : player.tallies()) {
    std::printf("%-28s %4d requests %4d links, %d missed, %d false merges", client.c_str(),
                tally.requests, tally.turns, tally.missed, tally.false_merges);
    std::printf(tally.branches > 0 ? ", %d of %d branches without their parent\n" : "\n",
                tally.orphans, tally.branches);
    all.requests += tally.requests;
    all.turns += tally.turns;
    all.missed += tally.missed;
    all.false_merges += tally.false_merges;
    all.orphans += tally.orphans;
  }
  std::printf("%d requests, %d links: %d missed (%.2f %%), %d false merges\n", all.requests,
              all.turns, all.missed, 100.0 * all.missed / all.turns, all.false_merges);
  EXPECT_EQ(all.false_merges, 0);
  EXPECT_LE(all.missed * 100, all.turns);
  EXPECT_EQ(all.orphans, 0);
  EXPECT_GT(all.turns, 500);
}

}  // namespace
}  // namespace turnpike::openai
