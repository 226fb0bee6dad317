#pragma once

#include <CLI/CLI.hpp>

namespace turnpike::app {

// `turnpike simulate`: policies side by side in discrete time, without a socket.
void add_simulate_command(CLI::App& app, int& exit_code);

}  // namespace turnpike::app
