#pragma once

#include <CLI/CLI.hpp>

namespace turnpike::app {

// `turnpike engine`: simulated replicas of a model server behind HTTP, until SIGTERM. Sets `exit_code` when it runs.
void add_engine_command(CLI::App& app, int& exit_code);

}  // namespace turnpike::app
