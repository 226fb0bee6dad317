#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace turnpike::sim {

// What is wrong with it as a result file; empty if nothing that comparison() needs.
std::string not_a_result_file(const nlohmann::ordered_json& file);

// What has changed from one result file to another, as a table for a terminal: for every workload and policy that both have, the
// figures that differ, and by how much; then what only one of them has. Both must be result files.
std::string comparison(const nlohmann::ordered_json& before, const nlohmann::ordered_json& after);

}  // namespace turnpike::sim
