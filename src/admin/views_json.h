#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/pool/views.h"
#include "gateway/directory.h"
#include "gateway/fleet.h"
#include "telemetry/recent_requests.h"

// The admin API's JSON. Times are seconds, tokens are counts, ids of sessions and tenants are the hashes they are stored under.
namespace turnpike::admin {

nlohmann::ordered_json to_json(const core::PoolView& view, const nlohmann::ordered_json& models);
// `view` is null for an endpoint that takes no part yet.
nlohmann::ordered_json to_json(const gateway::Fleet::Status& status,
                               const core::EndpointView* view);
nlohmann::ordered_json to_json(const core::QueuedView& view, const std::string& model);
// Why a request waited and went where it went; `passed`: those that came later and went first, as far as they are known.
nlohmann::ordered_json to_json(const telemetry::RecentRequest& request,
                               const std::vector<telemetry::RecentRequest>& passed);
nlohmann::ordered_json to_json(const core::SessionView& view, const gateway::Directory& directory);

}  // namespace turnpike::admin
