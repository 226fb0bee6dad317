#pragma once

#include <CLI/CLI.hpp>

namespace turnpike::app {

// `turnpike load`: the sessions of a workload against an OpenAI-compatible URL. Sets `exit_code` when it runs.
void add_load_command(CLI::App& app, int& exit_code);

}  // namespace turnpike::app
