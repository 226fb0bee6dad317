#pragma once

#include <memory>

#include "base/error.h"
#include "config/config.h"
#include "openai/model_routes.h"
#include "tenant/tenants.h"

namespace turnpike::app {

// Who may do what, and under which names, ready for a gateway.
struct Rules {
  std::shared_ptr<const tenant::Tenants> tenants;
  std::shared_ptr<const openai::ModelRoutes> routes;
};

// Reads the files that the configuration names. The error names the key, the file and what is wrong in it.
Expected<Rules> rules_of(const config::Config& config);

}  // namespace turnpike::app
