#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "config/load.h"

namespace turnpike::app {

// `turnpike check FILE`: tests a configuration without starting.
void add_check_command(CLI::App& app, int& exit_code);
// `turnpike config [FILE]`: the effective configuration with the origin of each value, or the schema.
void add_config_command(CLI::App& app, int& exit_code);

// Loads the file (none: empty path), this process's environment and `flags`; says nothing.
config::Loaded read_configuration(const std::string& file, std::vector<config::FlagValue> flags);
// Loads the file (none: empty path), this process's environment and `flags`, and tells warnings and errors on stderr.
config::Loaded load_configuration(const std::string& file, std::vector<config::FlagValue> flags);

}  // namespace turnpike::app
