#include "openai/conversation_index.h"

#include <algorithm>
#include <ranges>

#include "base/ascii.h"
#include "base/hash_chain.h"
#include "openai/body.h"

namespace turnpike::openai {

namespace {

// So many ends of a prompt are looked for, from its end on; a turn adds a few.
constexpr std::size_t kLooks = 512;
constexpr std::size_t kTailLooks = 8;
// So many conversations with equal prompts are told apart.
constexpr int kEquals = 64;
// A text as long as this is nobody else's beginning by chance.
constexpr std::size_t kEnoughText = 128;
// How far behind the end of a text its answer may begin.
constexpr std::size_t kAnswerWithin = 256;
// So many conversations must have begun before their fate says something of the next; their weight halves at twice as many.
constexpr double kEnoughBegan = 16;
constexpr double kHalveAt = 256;
constexpr int kExpireAtOnce = 4;

// Never 0, which is no key.
std::uint64_t key_of(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t key = chain_hash(a, b);
  return key == 0 ? 1 : key;
}

AnswerSign sign_of(const PromptMark& mark, std::string_view body) {
  AnswerSign sign{.call = mark.call};
  constexpr std::size_t kLook = 1024;
  if (mark.answer_size > 0)
    sign.take(body.substr(mark.answer_at, std::min<std::size_t>(mark.answer_size, kLook)));
  return sign;
}

std::uint64_t stem_of(std::uint64_t scope, std::span<const std::uint64_t> blocks,
                      std::size_t count) {
  return key_of(chain_hash(scope, count), count == 0 ? 0 : blocks[count - 1]);
}

std::uint64_t text_key(std::uint64_t stem, std::string_view rest) {
  return key_of(chain_hash(stem, rest.size()), hash_bytes(rest));
}

struct MessageKeys {
  std::uint64_t exact;
  std::uint64_t said;
  MessageKeys(std::uint64_t scope, const Conversation& prompt)
      : exact(chain_hash(chain_hash(scope, prompt.instructions), prompt.tools + 1)),
        said(chain_hash(scope, prompt.instructions)) {}
};

}  // namespace

ConversationIndex::ConversationIndex(const ConversationLimits& limits, std::uint64_t seed)
    : limits_(limits), seed_(seed) {}

std::optional<ConversationIndex::Turn> ConversationIndex::begin(
    std::uint64_t scope, const Conversation& prompt, std::span<const std::uint64_t> blocks,
    std::string_view body, TimePoint now) {
  for (int i = 0; i < kExpireAtOnce && idle_oldest_ != 0; ++i) {
    if (now - known_[idle_oldest_].used < limits_.idle) break;
    forget(idle_oldest_);
  }

  Match match;
  End end;
  if (prompt.form == Conversation::Form::messages) {
    const PromptMark& last = prompt.marks.back();
    const MessageKeys keys(scope, prompt);
    end = {.keys = {key_of(keys.exact, last.exact), key_of(keys.said, last.said),
                    key_of(keys.said, chain_hash(last.message, 2)),
                    key_of(keys.said, chain_hash(prompt.root, 1))},
           .has_history = last.has_history || last.answered,
           .offers_tools = prompt.offers_tools};
    match = find_messages(scope, prompt, body);
    if (match.number == 0 && match.beside == 0 && !match.ambiguous)
      match = find_tail(scope, prompt, body);
  } else if (prompt.form == Conversation::Form::text && blocks.size() < kMaxBlocks) {
    const std::string_view text = body.substr(prompt.text_at, prompt.text_size);
    const std::string_view rest = text.substr(blocks.size() * kBlockBytes);
    end.stem = stem_of(scope, blocks, blocks.size());
    end.rest = static_cast<std::uint16_t>(rest.size());
    end.keys[exact] = text_key(end.stem, rest);
    match = find_text(scope, blocks, text, prompt.token_ids);
  } else {
    return std::nullopt;
  }

  Turn turn;
  if (match.number != 0) {
    turn.number = match.number;
    turn.how = match.again ? How::repeated : How::continued;
    if (!match.again && ++known_[turn.number].turns == 1)
      went_on_[known_[turn.number].offers_tools ? 1 : 0] += 1;
  } else {
    Number parent = 0;
    if (end.has_history && !match.ambiguous)
      parent = match.beside != 0 ? match.beside : parent_of(end);
    SessionKey family;
    if (parent != 0) {
      turn.parent = known_[parent].session;
      family = known_[parent].family;
    }
    turn.number = make(now);
    if (turn.number == 0) {
      ++counters_.full;
      return std::nullopt;
    }
    turn.how = turn.parent ? How::branched : How::started;
    if (match.ambiguous) ++counters_.ambiguous;
    Known& made = known_[turn.number];
    made.offers_tools = end.offers_tools;
    made.family = family ? family : made.session;
    const std::size_t kind = end.offers_tools ? 1 : 0;
    began_[kind] += 1;
    if (began_[kind] > kHalveAt) {
      began_[kind] /= 2;
      went_on_[kind] /= 2;
    }
  }
  ++counters_.turns[static_cast<std::size_t>(turn.how)];
  wake(turn.number);
  Known& known = known_[turn.number];
  known.used = now;
  ++known.in_flight;
  if (turn.how != How::repeated) {
    known.answered = false;
    known.sign = {};
    move_to(turn.number, end);
  }
  turn.session = known.session;
  turn.doubtful = known.turns == 0 && is_doubtful(end.offers_tools);
  turn.prompt = end.keys[exact];
  return turn;
}

void ConversationIndex::end(const Turn& turn, bool answered, const AnswerSign& sign,
                            TimePoint now) {
  Known& known = known_[turn.number];
  known.used = now;
  if (answered && known.keys[exact] == turn.prompt) {
    known.answered = true;
    known.sign = sign;
  }
  if (--known.in_flight == 0) rest(turn.number);
}

ConversationIndex::Match ConversationIndex::find_messages(std::uint64_t scope,
                                                          const Conversation& prompt,
                                                          std::string_view body) {
  const MessageKeys keys(scope, prompt);
  const std::span<const PromptMark> marks = prompt.marks;
  const std::size_t looks = std::min(marks.size(), kLooks);
  // Several have begun with these words: then an answer that is not theirs is somebody else's, not theirs written anew.
  const auto alike = newest_[root].find(key_of(keys.said, chain_hash(prompt.root, 1)));
  const bool popular = alike != newest_[root].end() && known_[alike->second].next[root] != 0;
  Match match;
  for (std::size_t i = marks.size(); i > marks.size() - looks; --i) {
    const PromptMark& mark = marks[i - 1];
    Shown shown{.sign = {},
                .answered = mark.answered,
                .last = i == marks.size() && !mark.answered,
                .enough = true,
                .strict = popular};
    const std::uint64_t exactly = key_of(keys.exact, mark.exact);
    const std::uint64_t spoken = key_of(keys.said, mark.said);
    if (!newest_[said].contains(spoken)) continue;  // nor is there an exact one
    shown.sign = sign_of(mark, body);
    if (choose(exact, exactly, shown, match)) return match;
    // What was said is the same and what was answered is not: nobody tries that again, and a next turn must be told by its answer.
    shown.strict = true;
    if (!shown.last && choose(said, spoken, shown, match)) return match;
    if (match.ambiguous || match.beside != 0) return match;
  }
  return match;
}

// A history of which older parts were left out or masked still shows the last message and its answer.
ConversationIndex::Match ConversationIndex::find_tail(std::uint64_t scope,
                                                      const Conversation& prompt,
                                                      std::string_view body) const {
  const MessageKeys keys(scope, prompt);
  const std::span<const PromptMark> marks = prompt.marks;
  const std::size_t looks = std::min(marks.size(), kTailLooks);
  for (std::size_t i = marks.size(); i > marks.size() - looks; --i) {
    const PromptMark& mark = marks[i - 1];
    if (!mark.answered) continue;
    const auto found = newest_[tail].find(key_of(keys.said, chain_hash(mark.message, 2)));
    if (found == newest_[tail].end()) continue;
    const AnswerSign sign = sign_of(mark, body);
    Match match;
    int looked = 0;
    for (Number number = found->second; number != 0 && looked < kEquals;
         number = known_[number].next[tail], ++looked) {
      const Known& known = known_[number];
      // One that goes on from a short answer to a short question could be anybody's.
      const bool tells = known.sign.call != 0 || known.sign.count == AnswerSign::kLetters;
      if (!tells || compare(known.sign, sign) != Likeness::same) continue;
      if (match.number != 0) return {.ambiguous = true};
      match.number = number;
    }
    if (match.number != 0) return match;
  }
  return {};
}

ConversationIndex::Match ConversationIndex::find_text(std::uint64_t scope,
                                                      std::span<const std::uint64_t> blocks,
                                                      std::string_view text, bool token_ids) {
  Match match;
  for (std::size_t looks = 0; looks <= std::min(blocks.size(), kLooks); ++looks) {
    const std::size_t count = blocks.size() - looks;
    const std::uint64_t stem = stem_of(scope, blocks, count);
    const auto found = rests_.find(stem);
    if (found == rests_.end()) continue;
    // Sorted, so the longest comes last.
    for (const auto& [size, users] : std::views::reverse(found->second)) {
      const std::size_t end = count * kBlockBytes + size;
      if (end > text.size()) continue;
      const std::string_view behind = text.substr(end);
      if (token_ids && !behind.empty() && is_digit(behind.front())) continue;
      Shown shown{.sign = {},
                  .answered = true,
                  .last = behind.empty(),
                  .enough = end >= kEnoughText,
                  .strict = true};
      if (!token_ids) shown.sign.take(behind.substr(0, kAnswerWithin));
      if (choose(exact, text_key(stem, text.substr(count * kBlockBytes, size)), shown, match))
        return match;
      if (match.ambiguous || match.beside != 0) return match;
    }
  }
  return match;
}

bool ConversationIndex::choose(Way way, std::uint64_t key, const Shown& shown, Match& match) const {
  const auto found = newest_[way].find(key);
  if (found == newest_[way].end()) return false;
  Number only = 0;
  int possible = 0;
  int looked = 0;
  for (Number number = found->second; number != 0 && looked < kEquals;
       number = known_[number].next[way], ++looked) {
    const Known& known = known_[number];
    if (shown.last) {
      // The very prompt again.
      if (known.in_flight > 0) {
        match.beside = number;
      } else if (!known.answered || known.turns > 0) {
        match = {.number = number, .again = true};
        return true;
      }
      continue;
    }
    if (!shown.answered && known.answered) continue;
    const Likeness likeness = compare(known.sign, shown.sign);
    if (likeness == Likeness::same) {
      match = {.number = number};
      return true;
    }
    if (likeness == Likeness::other &&
        (shown.strict || (known.sign.call != 0 && shown.sign.call != 0)))
      continue;
    if (way == said && !known.answered) continue;
    ++possible;
    only = number;
  }
  if (possible == 1 && shown.enough) {
    match = {.number = only};
    return true;
  }
  match.ambiguous = match.ambiguous || possible > 1;
  return false;
}

ConversationIndex::Number ConversationIndex::parent_of(const End& end) const {
  const auto found = newest_[root].find(end.keys[root]);
  if (end.keys[root] == 0 || found == newest_[root].end()) return 0;
  const Known& newest = known_[found->second];
  int looked = 0;
  for (Number number = newest.next[root]; number != 0; number = known_[number].next[root]) {
    // Of several that have nothing to do with each other, who knows which.
    if (known_[number].family != newest.family || ++looked > kEquals) return 0;
  }
  return found->second;
}

// ---------------------------------------------------------------------------------------------------------------------

ConversationIndex::Number ConversationIndex::make(TimePoint now) {
  if (known_.size() >= limits_.conversations) {
    if (idle_oldest_ == 0) return 0;
    ++counters_.forgotten;
    forget(idle_oldest_);
  }
  const Number number = known_.emplace();
  Known& known = known_[number];
  const SessionKey session(chain_hash(seed_, ++made_));
  known.session = session ? session : SessionKey(0);
  known.used = now;
  rest(number);
  return number;
}

void ConversationIndex::move_to(Number number, const End& end) {
  Known& known = known_[number];
  for (const Way way : {exact, said, tail, root}) {
    if (known.keys[way] == end.keys[way]) continue;
    remove(number, way);
    put(number, way, end.keys[way]);
  }
  if (end.stem == 0) return;
  known.stem = end.stem;
  known.rest = end.rest;
  auto& rests = rests_[end.stem];
  const auto at =
      std::ranges::lower_bound(rests, end.rest, {}, [](const auto& r) { return r.first; });
  if (at != rests.end() && at->first == end.rest) {
    ++at->second;
  } else {
    rests.insert(at, {end.rest, 1});
  }
}

void ConversationIndex::put(Number number, Way way, std::uint64_t key) {
  Known& known = known_[number];
  known.keys[way] = key;
  known.previous[way] = 0;
  known.next[way] = 0;
  if (key == 0) return;
  Number& newest = newest_[way][key];
  known.next[way] = newest;
  if (newest != 0) known_[newest].previous[way] = number;
  newest = number;
}

void ConversationIndex::remove(Number number, Way way) {
  Known& known = known_[number];
  if (known.keys[way] == 0) return;
  if (known.next[way] != 0) known_[known.next[way]].previous[way] = known.previous[way];
  if (known.previous[way] != 0) {
    known_[known.previous[way]].next[way] = known.next[way];
  } else if (known.next[way] != 0) {
    newest_[way][known.keys[way]] = known.next[way];
  } else {
    newest_[way].erase(known.keys[way]);
  }
  known.keys[way] = 0;
  if (way != exact || known.stem == 0) return;
  const auto found = rests_.find(known.stem);
  auto& rests = found->second;
  const auto at =
      std::ranges::lower_bound(rests, known.rest, {}, [](const auto& r) { return r.first; });
  if (--at->second == 0) rests.erase(at);
  if (rests.empty()) rests_.erase(found);
  known.stem = 0;
}

void ConversationIndex::forget(Number number) {
  wake(number);
  for (const Way way : {exact, said, tail, root}) remove(number, way);
  known_.erase(number);
}

// Out of the list of the idle, if it is there.
void ConversationIndex::wake(Number number) {
  Known& known = known_[number];
  if (known.in_flight > 0) return;
  (known.newer != 0 ? known_[known.newer].older : idle_newest_) = known.older;
  (known.older != 0 ? known_[known.older].newer : idle_oldest_) = known.newer;
  known.newer = known.older = 0;
}

void ConversationIndex::rest(Number number) {
  Known& known = known_[number];
  known.older = idle_newest_;
  (idle_newest_ != 0 ? known_[idle_newest_].newer : idle_oldest_) = number;
  idle_newest_ = number;
}

bool ConversationIndex::is_doubtful(bool offers_tools) const {
  const std::size_t kind = offers_tools ? 1 : 0;
  return began_[kind] < kEnoughBegan || went_on_[kind] * 2 < began_[kind];
}

std::string ConversationIndex::broken_invariant() const {
  if (known_.size() > limits_.conversations) return "too many";
  std::size_t idle = 0;
  Number before = 0;
  for (Number number = idle_oldest_; number != 0; number = known_[number].newer, ++idle) {
    if (known_[number].in_flight > 0) return "what runs is in the list of the idle";
    if (known_[number].older != before) return "the list of the idle is torn";
    before = number;
  }
  if (before != idle_newest_) return "the list of the idle ends elsewhere";
  std::array<std::size_t, kWays> keyed{};
  std::size_t running = 0;
  std::size_t texts = 0;
  for (Number number = 1; number <= known_.last_number(); ++number) {
    if (!known_.contains(number)) continue;
    const Known& known = known_[number];
    running += known.in_flight > 0 ? 1 : 0;
    texts += known.stem != 0 ? 1 : 0;
    for (std::size_t way = 0; way < kWays; ++way) keyed[way] += known.keys[way] != 0 ? 1 : 0;
  }
  if (idle + running != known_.size()) return "neither idle nor running";
  for (std::size_t way = 0; way < kWays; ++way) {
    std::size_t listed = 0;
    for (const auto& [key, newest] : newest_[way]) {
      Number last = 0;
      for (Number number = newest; number != 0; number = known_[number].next[way], ++listed) {
        if (known_[number].keys[way] != key) return "under a key that is not its own";
        if (known_[number].previous[way] != last) return "a list of equal keys is torn";
        last = number;
      }
    }
    if (listed != keyed[way]) return "not under its key";
  }
  for (const auto& [stem, rests] : rests_) {
    for (const auto& [size, users] : rests) texts -= users;
  }
  return texts == 0 ? "" : "lengths of texts are miscounted";
}

std::string_view to_string(ConversationIndex::How how) {
  switch (how) {
    case ConversationIndex::How::started:
      return "started";
    case ConversationIndex::How::continued:
      return "continued";
    case ConversationIndex::How::repeated:
      return "repeated";
    case ConversationIndex::How::branched:
      return "branched";
  }
  return {};
}

}  // namespace turnpike::openai
