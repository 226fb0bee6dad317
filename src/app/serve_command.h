#pragma once

#include <CLI/CLI.hpp>

namespace turnpike::app {

// `turnpike serve`: the gateway, until SIGTERM. Sets `exit_code` when it runs.
void add_serve_command(CLI::App& app, int& exit_code);

}  // namespace turnpike::app
