#pragma once

#include "base/error.h"
#include "config/config.h"
#include "openai/model_routes.h"
#include "tenant/tenants.h"

namespace turnpike::app {

// Reads the files that the configuration names. The error names the key, the file and what is wrong in it.
Expected<tenant::TenantRules> tenant_rules(const config::TenantsConfig& config);

// The error names the route and what is wrong with it.
Expected<openai::ModelRoutes> model_routes(const std::vector<config::RouteConfig>& routes);

}  // namespace turnpike::app
