#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/strong.h"
#include "base/units.h"
#include "engine/host_tier.h"
#include "engine/kv_cache.h"
#include "engine/profile.h"

namespace turnpike::engine {

// Chosen by the caller, unique among the sequences that have not ended.
using SequenceId = StrongId<struct SequenceIdTag, std::uint64_t>;

struct EngineParams {
  Profile profile;
  TokenCount kv_tokens{};            // 0: what the profile says; rounded down to whole blocks
  std::uint32_t max_num_seqs = 256;  // most sequences that run at once
  std::int64_t max_num_batched_tokens = 2048;  // most tokens that one step computes
  TokenCount
      host_tokens{};  // a second tier in host memory keeps so much of what the cache gives up
  bool tell_every_token = true;  // false: finish_step() tells of first and of last tokens only
};

// One request. The model never sees text: `chain` has the chained hash of every whole block of the
// prompt followed by the answer, so that a later prompt which repeats both finds what the decode
// wrote.
struct SequenceSpec {
  SequenceId id;
  TokenCount prompt_tokens;  // at least 1
  TokenCount output_tokens;  // at least 1; the sequence finishes with exactly so many
  std::vector<BlockHash>
      chain;  // (prompt + output) / kBlockTokens hashes; fewer are allowed, the rest is never found
};

// A sequence got one more token.
struct TokenEvent {
  SequenceId id;
  bool first = false;
  bool finished = false;
  TokenCount cached_tokens;  // of the prompt, when it was first scheduled
};

struct EngineGauges {
  std::uint32_t running = 0;
  std::uint32_t waiting = 0;  // preempted ones too
  std::uint32_t free_blocks = 0;
  std::uint32_t total_blocks = 0;

  // Cached blocks that nobody holds count as free.
  [[nodiscard]] double kv_usage() const {
    return total_blocks == 0 ? 0.0 : 1.0 - static_cast<double>(free_blocks) / total_blocks;
  }
};

// Since the engine was made.
struct EngineCounters {
  std::int64_t steps = 0;
  std::int64_t prompt_tokens = 0;  // of sequences when first scheduled; equals prefix cache queries
  std::int64_t cached_tokens = 0;  // of those, found in the cache; equals prefix cache hits
  std::int64_t reloaded_tokens = 0;  // loaded from the second tier; part of cached_tokens
  std::int64_t prefilled_tokens =
      0;  // computed in prompt chunks, recomputation after preemption among them
  std::int64_t generated_tokens = 0;
  std::int64_t preemptions = 0;
  std::int64_t finished = 0;
  std::int64_t aborted = 0;
};

// A model of vLLM's v1 scheduler and prefix cache as a state machine. Pure and deterministic: the
// caller has the clock.
//
//   engine.add(spec);
//   while (auto took = engine.begin_step()) { wait(*took); for (auto& event : engine.finish_step())
//   ... }
//
// A step first serves the running sequences in order (a decoding one computes 1 token, a prompt its
// next chunk) within the token budget, then admits waiting ones in order of arrival while budget
// and max_num_seqs last and only if nothing was preempted in this step; the head of the line blocks
// the others if its blocks cannot be had. The prefix cache is looked up when a sequence is
// scheduled: whole blocks, never the last token. A running sequence that gets no block preempts the
// last running one, whose blocks are freed and which is recomputed later from the front of the
// line.
//
// One thread at a time. Every added sequence ends once: with a TokenEvent that is `finished`, or by
// abort(), after which nothing is said of it. add() and abort() are allowed between begin_step()
// and finish_step().
class Engine {
 public:
  explicit Engine(const EngineParams& params);

  // False if it could never run here: no token, or more blocks than there are.
  [[nodiscard]] bool add(SequenceSpec spec);
  // Frees its blocks at once, in any state. False if no such sequence exists (any more).
  bool abort(SequenceId id);

  // Schedules a step and says how long it takes; nothing if there is nothing to do.
  [[nodiscard]] std::optional<Duration> begin_step();
  // Ends the step: the tokens it made (or some: EngineParams), in the order of the running sequences. Valid until the next
  // call of a member.
  std::span<const TokenEvent> finish_step();

  [[nodiscard]] bool idle() const { return running_.empty() && waiting_.empty(); }
  [[nodiscard]] EngineGauges gauges() const;
  [[nodiscard]] const EngineCounters& counters() const { return counters_; }
  [[nodiscard]] const EngineParams& params() const { return params_; }
  // The longest sequence that fits: prompt and answer together.
  [[nodiscard]] TokenCount longest_sequence() const;
  // What a prompt would find in the cache now, in tokens.
  [[nodiscard]] TokenCount cached_prefix(std::span<const BlockHash> chain,
                                         TokenCount prompt_tokens) const;
  // Every block is either free or held by exactly the sequences that say so. Slow; tests.
  [[nodiscard]] bool blocks_in_order() const;

 private:
  using Slot = std::uint32_t;

  struct Sequence {
    std::int64_t computed = 0;   // tokens whose KV is in its blocks
    std::int64_t known = 0;      // prompt + generated
    std::int64_t room = 0;       // tokens that its blocks can hold
    std::int64_t scheduled = 0;  // in the step under way
    std::int64_t prompt = 0;
    std::int64_t end = 0;  // prompt + output
    bool counted = false;  // its lookup is in the counters
    bool running = false;
    std::int64_t cached = 0;
    SequenceId id;
    Holding held;
    std::vector<BlockHash> chain;
  };

  // Nearly all tokens of a long run are decoded, and fifteen of sixteen need neither a block nor fill one: so a sequence in the
  // batch says for how many steps there is nothing to it but counting, and is not looked at before that.
  struct Running {
    Slot slot = 0;
    std::uint32_t calm =
        0;  // steps to come in which it decodes and nothing else happens; while there are any,
    std::int64_t context = 0;  // this stands for Sequence::computed, and `known` is one more
  };

  [[nodiscard]] std::uint32_t calm_steps(const Sequence& sequence) const;
  void wake(const Running& running);
  void schedule_running();
  void schedule_waiting();
  bool admit(Slot slot);
  void take(Sequence& sequence, std::int64_t blocks);
  void load_from_host(Sequence& sequence, std::int64_t blocks);
  void plan(Sequence& sequence, std::int64_t tokens);
  void preempt_last();
  void retire(Slot slot);

  EngineParams params_;
  KvCache cache_;
  std::optional<HostTier> host_;
  EngineCounters counters_;
  std::vector<Sequence> sequences_;
  std::vector<Slot> unused_;
  std::vector<Running> running_;
  std::deque<Slot> waiting_;
  absl::flat_hash_map<SequenceId, Slot> by_id_;
  std::vector<TokenEvent> events_;
  // Scratch of admit() and take().
  std::vector<HeldPart> found_;
  std::vector<BlockHash> forgotten_;

  // The step that is being planned.
  StepLoad load_;
  std::int64_t budget_ = 0;
  bool preempted_ = false;
  bool stepping_ = false;
  std::size_t served_ = 0;  // leading sequences in running_ that the budget sufficed for

  // The head of the line could not be admitted with this budget. Until blocks are freed it is not
  // looked up again: every block taken since shrinks the free list by one and what the head needs
  // by at most one.
  bool head_blocked_ = false;
  std::int64_t head_budget_ = 0;
};

}  // namespace turnpike::engine
