#include "app/engine/faults.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace turnpike::app {
namespace {

using Json = nlohmann::json;
using Kind = Fault::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 6> kKinds{{{"status", Kind::status},
                                                                   {"delay", Kind::delay},
                                                                   {"stall", Kind::stall},
                                                                   {"reset", Kind::reset},
                                                                   {"truncate", Kind::truncate},
                                                                   {"end", Kind::end}}};

std::string_view name_of(Kind kind) {
  return std::ranges::find(kKinds, kind, &std::pair<std::string_view, Kind>::second)->first;
}

// Whole numbers within bounds.
Expected<std::int64_t> number(const std::string& name, const Json& value, std::int64_t least,
                              std::int64_t most) {
  if (!value.is_number_integer()) return fail(fmt::format("{} must be a whole number", name));
  const auto n = value.get<std::int64_t>();
  if (n < least || n > most) {
    return fail(fmt::format("{} must be from {} to {}", name, least, most));
  }
  return n;
}

}  // namespace

Expected<Fault> parse_fault(std::string_view body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail("a fault is a JSON object");
  Fault fault;
  bool has_kind = false;
  for (const auto& [name, value] : json.items()) {
    Expected<std::int64_t> n = 0;
    if (name == "kind") {
      const auto* const kind =
          std::ranges::find(kKinds, value.is_string() ? value.get<std::string>() : "",
                            &std::pair<std::string_view, Kind>::first);
      if (kind == kKinds.end()) {
        return fail("kind must be status, delay, stall, reset, truncate or end");
      }
      fault.kind = kind->second;
      has_kind = true;
    } else if (name == "path") {
      if (!value.is_string()) return fail("path must be a text");
      fault.path = value.get<std::string>();
    } else if (name == "count") {
      n = number(name, value, Fault::kForEver, 1'000'000'000);
      fault.count = n.value_or(0);
    } else if (name == "status") {
      n = number(name, value, 100, 599);
      fault.status = static_cast<int>(n.value_or(0));
    } else if (name == "retry_after") {
      n = number(name, value, 0, 86'400);
      fault.retry_after = n.value_or(0);
    } else if (name == "delay_ms") {
      n = number(name, value, 0, 86'400'000);
      fault.delay = std::chrono::milliseconds(n.value_or(0));
    } else if (name == "after_tokens") {
      n = number(name, value, 0, 1'000'000'000);
      fault.after_tokens = n.value_or(0);
    } else {
      return fail(fmt::format("unknown member {}", name));
    }
    if (!n) return std::unexpected(n.error());
  }
  if (!has_kind) return fail("kind is required");
  return fault;
}

bool FaultPlan::add(Fault fault) {
  if (faults_.size() >= kMost) return false;
  if (fault.count != 0) faults_.push_back(std::move(fault));
  return true;
}

std::optional<Fault> FaultPlan::take(std::string_view path) {
  const auto found =
      std::ranges::find_if(faults_, [&](const Fault& f) { return path.starts_with(f.path); });
  if (found == faults_.end()) return std::nullopt;
  Fault fault = *found;
  if (fault.count != Fault::kForEver && --found->count == 0) faults_.erase(found);
  return fault;
}

Json FaultPlan::list() const {
  Json all = Json::array();
  for (const Fault& f : faults_) {
    Json one{{"kind", name_of(f.kind)}, {"count", f.count}, {"path", f.path}};
    if (f.kind == Kind::status) {
      one["status"] = f.status;
      if (f.retry_after) one["retry_after"] = *f.retry_after;
    } else if (f.kind == Kind::delay) {
      one["delay_ms"] = f.delay / std::chrono::milliseconds(1);
    } else {
      one["after_tokens"] = f.after_tokens;
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace turnpike::app
