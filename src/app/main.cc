#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "app/config_commands.h"
#include "app/engine/engine_command.h"
#include "app/journal_command.h"
#include "app/load/load_command.h"
#include "app/serve_command.h"
#include "app/simulate_command.h"
#include "app/version.h"

int main(int argc, char** argv) {
  CLI::App app("Turnpike: an LLM inference gateway that makes conversations and agents fast",
               "turnpike");
  app.set_version_flag("--version", turnpike::app::version());
  app.require_subcommand(1);
  int exit_code = 0;
  turnpike::app::add_serve_command(app, exit_code);
  turnpike::app::add_engine_command(app, exit_code);
  turnpike::app::add_load_command(app, exit_code);
  turnpike::app::add_simulate_command(app, exit_code);
  turnpike::app::add_journal_command(app, exit_code);
  turnpike::app::add_check_command(app, exit_code);
  turnpike::app::add_config_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // 0 for --help and --version; anything else is wrong usage.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
