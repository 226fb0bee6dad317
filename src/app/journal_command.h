#pragma once

#include <CLI/CLI.hpp>

namespace turnpike::app {

// `turnpike journal PATH`: what a journal of a gateway's policy holds.
void add_journal_command(CLI::App& app, int& exit_code);

}  // namespace turnpike::app
