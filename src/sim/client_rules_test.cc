#include "sim/client_rules.h"

#include <gtest/gtest.h>

namespace turnpike::sim {
namespace {

TEST(ClientRules, OnlyAFirstTurnTriesAgainAndNotForEver) {
  EXPECT_TRUE(may_retry(0, 0));
  EXPECT_TRUE(may_retry(0, kRetries - 1));
  EXPECT_FALSE(may_retry(0, kRetries));
  EXPECT_FALSE(may_retry(1, 0));
}

TEST(ClientRules, ALostTurnKillsTheSession) {
  EXPECT_EQ(session_end(Outcome::finished), SessionEnd::finished);
  EXPECT_EQ(session_end(Outcome::unfinished), SessionEnd::unfinished);
  for (const Outcome lost : {Outcome::rejected, Outcome::timed_out, Outcome::failed}) {
    EXPECT_EQ(session_end(lost), SessionEnd::killed);
  }
}

Session session_with_shared(std::uint64_t shared_text) {
  Session session;
  session.shared_text = shared_text;
  session.shared = TokenCount(64);
  return session;
}

TEST(Cacheable, IsTheConversationSoFarInWholeBlocksAndNeverTheLastToken) {
  SharedTexts seen;
  Cacheable cacheable;
  const Session session = session_with_shared(1);
  EXPECT_EQ(cacheable.answered(session, 0, TokenCount(100), TokenCount(20), seen), TokenCount(0));
  // 119 tokens were computed: the last one of the answer never is.
  EXPECT_EQ(cacheable.answered(session, 1, TokenCount(150), TokenCount(10), seen), TokenCount(112));
  // A prompt that is all known: 144 of its 160 tokens, since the last one must be computed.
  EXPECT_EQ(cacheable.answered(session, 2, TokenCount(160), TokenCount(1), seen), TokenCount(144));
}

TEST(Cacheable, TheSharedPrefixIsKnownOnceSomebodyHasSentIt) {
  SharedTexts seen;
  EXPECT_EQ(Cacheable().answered(session_with_shared(1), 0, TokenCount(100), TokenCount(1), seen),
            TokenCount(0));
  EXPECT_EQ(Cacheable().answered(session_with_shared(1), 0, TokenCount(100), TokenCount(1), seen),
            TokenCount(64));
  EXPECT_EQ(Cacheable().answered(session_with_shared(2), 0, TokenCount(100), TokenCount(1), seen),
            TokenCount(0));
}

}  // namespace
}  // namespace turnpike::sim
