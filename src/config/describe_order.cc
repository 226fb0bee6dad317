#include "config/describe_parts.h"

namespace turnpike::config {

void describe_order(core::OrderParams& o, std::vector<Key>& keys) {
  const std::vector<Key> own = {
      {"expert.tenants", choice(o.tenants, {"none", "fair-share", "vtc"}),
       "The level above the sessions: who has used least goes first, in a sliding window "
       "(`fair-share`) or since he began to wait (`vtc`); a heavy user waits longer, others less."},
      {"expert.priority_classes", &o.priority_classes,
       "The level above the tenants: a higher class goes first, always; a lower one may starve."},
      {"expert.fairness.window", &o.fairness.window,
       "How long use counts against a tenant: longer makes a heavy user pay for longer.",
       kPositiveDuration},
      {"expert.fairness.input_weight",
       &o.fairness.input_weight,
       "What a prompt token that had to be computed counts.",
       {0, 1e9}},
      {"expert.fairness.output_weight",
       &o.fairness.output_weight,
       "What a token of an answer counts: higher makes long answers dear.",
       {0, 1e9}},
      {"expert.fairness.request_weight",
       &o.fairness.request_weight,
       "What a request counts, in tokens: higher makes many small requests dear.",
       {0, 1e9}},
      {"expert.starvation.ratio",
       &o.starvation.ratio,
       "Orders `critical-path` and `plas`: who has waited so many times as long as he was served "
       "goes first: lower is fairer and nearer to first come first served; 0: nobody does.",
       {0, 1e6}},
      {"expert.starvation.least_service", &o.starvation.least_service,
       "Service counts as at least this: longer lets newcomers wait longer.", kPositiveDuration},
      {"expert.starvation.one_in",
       &o.starvation.one_in,
       "At most one of so many dispatches goes to such a one: higher keeps the order.",
       {1, 1e6}},
      {"expert.plas_base",
       &o.plas_base,
       "Order `plas`: tokens of service in the first level; larger treats small sessions alike.",
       {1, 1e9}},
      {"expert.turns_per_second",
       &o.turns_per_second,
       "Order `turn-priority`: turns that a second of waiting is worth: higher is nearer to first "
       "come first served.",
       {0, 1e6}},
  };
  keys.insert(keys.end(), own.begin(), own.end());
}

void describe_resident(core::ResidentParams& r, std::vector<Key>& keys) {
  const std::vector<Key> own = {
      {"expert.resident.capacity",
       &r.start_capacity,
       "Tokens of context that an endpoint is first thought to hold if it reports none: too small "
       "starts slowly, too large thrashes, until it is learned (a minute).",
       {1, 1e12}},
      {"expert.resident.capacity_gain",
       &r.capacity_gain,
       "How far learned capacity moves towards what an answer said: higher follows other users of "
       "the engine faster and is noisier; 0: never learned.",
       {0, 1}},
      {"expert.resident.capacity_floor",
       &r.capacity_floor,
       "Part of the reported capacity below which it is never learned: lower where gateways share "
       "an engine.",
       {0, 1}},
      {"expert.resident.running_share",
       &r.running_share,
       "Part of an endpoint's capacity that running requests may take before anybody but a "
       "resident "
       "waits: less keeps more contexts to be found again, and runs fewer.",
       {0.01, 1}},
      {"expert.resident.worth_start",
       &r.worth_start,
       "What finding a context again is first thought to be worth, in times of computing the whole "
       "cache: higher keeps idle sessions' places longer.",
       {0, 1e3}},
      {"expert.resident.worth_min", &r.worth_min, "The least it is learned to be worth.", {0, 1e3}},
      {"expert.resident.worth_max", &r.worth_max, "The most it is learned to be worth.", {0, 1e3}},
      {"expert.resident.hold_start",
       &r.hold_start,
       "Seconds an idle session keeps its place before enough is known of gaps.",
       {0, 3600}},
      {"expert.resident.hold_max",
       &r.hold_max,
       "Seconds it keeps it at most: longer wins where tools run long, and newcomers wait longer.",
       {0, 3600}},
      {"expert.resident.backlog_target",
       &r.backlog_target,
       "Seconds of prefill that may queue: above it contexts are kept longer, below it shorter.",
       {0.001, 60}},
      {"expert.resident.alpha",
       &r.alpha,
       "Seconds of waiting worth 1000 tokens to compute; set by `goal`: lower lets newcomers and "
       "big requests wait less and costs throughput.",
       {0, 1e6}},
      {"expert.resident.max_resident_turns",
       &r.max_resident_turns,
       "Resident turns that may pass one who has a seat: lower ends his wait sooner.",
       {1, 1e6}},
  };
  keys.insert(keys.end(), own.begin(), own.end());
}

}  // namespace turnpike::config
