#include "engine/engine.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace turnpike::engine {
namespace {

std::uint32_t total_blocks(const EngineParams& params) {
  const TokenCount tokens =
      params.kv_tokens > TokenCount(0) ? params.kv_tokens : params.profile.kv_tokens;
  return static_cast<std::uint32_t>(tokens.value() / kBlockTokens);
}

}  // namespace

Engine::Engine(const EngineParams& params) : params_(params), cache_(total_blocks(params)) {
  assert(params.max_num_seqs > 0 && params.max_num_batched_tokens > 0);
  running_.reserve(params.max_num_seqs);
  if (params.host_tokens > TokenCount(0)) {
    host_.emplace(static_cast<std::uint32_t>(params.host_tokens.value() / kBlockTokens));
  }
}

bool Engine::add(SequenceSpec spec) {
  const std::int64_t prompt = spec.prompt_tokens.value();
  const std::int64_t end = prompt + spec.output_tokens.value();
  if (prompt < 1 || end <= prompt || end > longest_sequence().value()) return false;

  Slot slot = static_cast<Slot>(sequences_.size());
  if (unused_.empty()) {
    sequences_.emplace_back();
  } else {
    slot = unused_.back();
    unused_.pop_back();
  }
  const bool fresh = by_id_.try_emplace(spec.id, slot).second;
  assert(fresh);
  static_cast<void>(fresh);

  Sequence& s = sequences_[slot];
  s.computed = s.room = s.scheduled = s.cached = 0;
  s.known = s.prompt = prompt;
  s.end = end;
  s.counted = s.running = false;
  s.id = spec.id;
  s.chain = std::move(spec.chain);
  waiting_.push_back(slot);
  return true;
}

bool Engine::abort(SequenceId id) {
  const auto entry = by_id_.find(id);
  if (entry == by_id_.end()) return false;
  const Slot slot = entry->second;
  if (sequences_[slot].running) {
    const auto place = std::ranges::find(running_, slot, &Running::slot);
    if (place - running_.begin() < static_cast<std::ptrdiff_t>(served_)) --served_;
    running_.erase(place);
  } else {
    waiting_.erase(std::ranges::find(waiting_, slot));
  }
  ++counters_.aborted;
  retire(slot);
  return true;
}

std::optional<Duration> Engine::begin_step() {
  assert(!stepping_);
  if (idle()) return std::nullopt;
  load_ = {};
  budget_ = params_.max_num_batched_tokens;
  preempted_ = false;
  schedule_running();
  if (!preempted_) schedule_waiting();
  assert(load_.tokens > 0);
  stepping_ = true;
  return step_time(params_.profile, load_);
}

std::span<const TokenEvent> Engine::finish_step() {
  assert(stepping_);
  stepping_ = false;
  ++counters_.steps;
  events_.clear();
  bool ended = false;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Running& running = running_[i];
    if (running.calm > 0) {
      if (i >= served_) continue;
      ++running.context;
      ++counters_.generated_tokens;
      if (params_.tell_every_token) {
        const Sequence& s = sequences_[running.slot];
        events_.push_back({.id = s.id, .cached_tokens = TokenCount(s.cached)});
      }
      if (--running.calm == 0) wake(running);
      continue;
    }
    Sequence& s = sequences_[running.slot];
    if (s.scheduled == 0) continue;
    s.computed += s.scheduled;
    s.scheduled = 0;
    if (s.computed < s.known) continue;
    ++s.known;
    ++counters_.generated_tokens;
    const bool first = s.known == s.prompt + 1;
    const bool finished = s.known == s.end;
    ended |= finished;
    running.context = s.computed;
    running.calm = calm_steps(s);
    if (!first && !finished && !params_.tell_every_token) continue;
    events_.push_back(
        {.id = s.id, .first = first, .finished = finished, .cached_tokens = TokenCount(s.cached)});
  }
  if (ended) {
    // Retired in order, so that the free list has the blocks of the first in the batch first.
    std::erase_if(running_, [this](const Running& running) {
      if (running.calm > 0 || sequences_[running.slot].known < sequences_[running.slot].end) {
        return false;
      }
      ++counters_.finished;
      retire(running.slot);
      return true;
    });
  }
  return events_;
}

// Until it needs a block, fills one that can be published, or makes its last token.
std::uint32_t Engine::calm_steps(const Sequence& s) const {
  std::int64_t calm = std::min(s.room - s.computed, s.end - 1 - s.known);
  if (s.held.published < s.chain.size()) {
    calm = std::min(calm, (s.held.published + 1) * kBlockTokens - 1 - s.computed);
  }
  return static_cast<std::uint32_t>(std::max<std::int64_t>(0, calm));
}

void Engine::wake(const Running& running) {
  Sequence& s = sequences_[running.slot];
  s.computed = running.context;
  s.known = running.context + 1;
}

void Engine::schedule_running() {
  for (served_ = 0; served_ < running_.size() && budget_ > 0; ++served_) {
    const Running& running = running_[served_];
    if (running.calm > 0) {
      load_.add_decode(running.context);
      --budget_;
      continue;
    }
    Sequence& s = sequences_[running.slot];
    const std::int64_t tokens = std::min(s.known - s.computed, budget_);
    const std::int64_t end = s.computed + tokens;
    while (end > s.room && blocks_for(end) - s.held.blocks() > cache_.free()) {
      preempt_last();
      if (served_ == running_.size()) return;  // it was itself the last
    }
    plan(s, tokens);
  }
}

void Engine::schedule_waiting() {
  while (!waiting_.empty() && budget_ > 0 && running_.size() < params_.max_num_seqs) {
    if (head_blocked_ && budget_ >= head_budget_ && !running_.empty()) return;
    const Slot slot = waiting_.front();
    if (!admit(slot)) {
      head_blocked_ = true;
      head_budget_ = budget_;
      return;
    }
    head_blocked_ = false;
    waiting_.pop_front();
    running_.push_back({.slot = slot});
  }
}

bool Engine::admit(Slot slot) {
  Sequence& s = sequences_[slot];
  assert(s.computed == 0 && s.held.blocks() == 0);
  const auto findable =
      std::min<std::size_t>(s.chain.size(), static_cast<std::size_t>((s.known - 1) / kBlockTokens));
  const KvCache::Match match = cache_.match({s.chain.data(), findable}, found_);
  const std::int64_t loaded =
      host_ ? host_->match_length({s.chain.data() + match.blocks, findable - match.blocks}) : 0;
  const std::int64_t cached = (match.blocks + loaded) * kBlockTokens;
  const std::int64_t tokens = std::min(s.known - cached, budget_);
  const std::int64_t fresh = blocks_for(cached + tokens) - match.blocks;
  if (fresh + match.from_free > cache_.free()) return false;

  cache_.hold(found_, s.held);
  if (loaded > 0) load_from_host(s, loaded);
  s.room = cached;
  s.computed = cached;
  s.running = true;
  if (!s.counted) {
    s.counted = true;
    s.cached = cached;
    counters_.prompt_tokens += s.prompt;
    counters_.cached_tokens += cached;
  }
  plan(s, tokens);
  return true;
}

// What the cache forgets goes to the second tier.
void Engine::take(Sequence& s, std::int64_t blocks) {
  forgotten_.clear();
  cache_.take(static_cast<std::uint32_t>(blocks), s.held, host_ ? &forgotten_ : nullptr);
  for (const BlockHash hash : forgotten_) host_->put(hash);
}

void Engine::load_from_host(Sequence& s, std::int64_t blocks) {
  const auto contents =
      std::span(s.chain).subspan(s.held.published, static_cast<std::size_t>(blocks));
  // First all are looked at, so that what is given up for the first does not push out the last.
  for (const BlockHash hash : contents) host_->put(hash);
  take(s, blocks);
  cache_.publish(contents, s.held);
  load_.reloaded += blocks * kBlockTokens;
  counters_.reloaded_tokens += blocks * kBlockTokens;
}

// As vLLM does, a block becomes findable when the step that fills it is scheduled.
void Engine::plan(Sequence& s, std::int64_t tokens) {
  const std::int64_t end = s.computed + tokens;
  if (end > s.room) {
    const std::int64_t blocks = blocks_for(end - s.room);
    take(s, blocks);
    s.room += blocks * kBlockTokens;
  }
  if (const std::int64_t full = std::min(end / kBlockTokens, std::ssize(s.chain));
      full > s.held.published) {
    cache_.publish(
        std::span(s.chain).first(static_cast<std::size_t>(full)).subspan(s.held.published), s.held);
  }
  if (s.computed >= s.prompt && tokens == 1) {
    load_.add_decode(s.computed);
  } else {
    load_.add_prefill(s.computed, tokens);
    counters_.prefilled_tokens += tokens;
  }
  s.scheduled = tokens;
  budget_ -= tokens;
}

void Engine::preempt_last() {
  const Running running = running_.back();
  running_.pop_back();
  if (running.calm > 0) wake(running);
  Sequence& s = sequences_[running.slot];
  assert(s.scheduled == 0);
  cache_.release(s.held);
  s.computed = s.room = 0;
  s.running = false;
  waiting_.push_front(running.slot);
  preempted_ = true;
  head_blocked_ = false;
  ++counters_.preemptions;
}

void Engine::retire(Slot slot) {
  Sequence& s = sequences_[slot];
  cache_.release(s.held);
  s.chain.clear();
  by_id_.erase(s.id);
  unused_.push_back(slot);
  head_blocked_ = false;
}

bool Engine::blocks_in_order() const {
  std::vector<const Holding*> holdings;
  holdings.reserve(sequences_.size());
  for (const Sequence& s : sequences_) holdings.push_back(&s.held);
  return cache_.in_order(holdings);
}

EngineGauges Engine::gauges() const {
  return {.running = static_cast<std::uint32_t>(running_.size()),
          .waiting = static_cast<std::uint32_t>(waiting_.size()),
          .free_blocks = cache_.free(),
          .total_blocks = cache_.total()};
}

TokenCount Engine::longest_sequence() const {
  return TokenCount(static_cast<std::int64_t>(cache_.total()) * kBlockTokens);
}

TokenCount Engine::cached_prefix(std::span<const BlockHash> chain, TokenCount prompt_tokens) const {
  const auto findable = std::min<std::size_t>(
      chain.size(), static_cast<std::size_t>((prompt_tokens.value() - 1) / kBlockTokens));
  return TokenCount(cache_.match_length(chain.first(findable)) * kBlockTokens);
}

}  // namespace turnpike::engine
