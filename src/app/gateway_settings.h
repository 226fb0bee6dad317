#pragma once

#include "config/config.h"
#include "gateway/settings.h"

namespace turnpike::app {

// What a configuration means to a gateway on this machine: counts its cores, and draws a hash key if none is configured.
gateway::Settings gateway_settings(const config::Config& config);

}  // namespace turnpike::app
