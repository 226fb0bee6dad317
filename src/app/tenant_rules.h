#pragma once

#include "base/error.h"
#include "config/config.h"
#include "tenant/tenants.h"

namespace turnpike::app {

// Reads the files that the configuration names. The error names the key, the file and what is wrong in it.
Expected<tenant::TenantRules> tenant_rules(const config::TenantsConfig& config);

}  // namespace turnpike::app
