#include "app/config_commands.h"

#include <cstdio>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "app/rules.h"

namespace turnpike::app {
namespace {

struct Options {
  std::string file;
  std::string format = "yaml";
  bool schema = false;
  bool reference = false;
};

int check(const Options& options) {
  const config::Loaded loaded = load_configuration(options.file, {});
  if (!loaded.ok()) return 2;
  if (const auto rules = rules_of(loaded.config); !rules) {
    fmt::print(stderr, "{}\n", rules.error().message);
    return 2;
  }
  fmt::print("{}: good\n", options.file);
  return 0;
}

int print(const Options& options) {
  if (options.schema || options.reference) {
    fmt::print("{}", options.schema ? config::json_schema() : config::reference());
    return 0;
  }
  const config::Loaded loaded = load_configuration(options.file, {});
  if (!loaded.ok()) return 2;
  fmt::print("{}", options.format == "json" ? config::to_json(loaded) : config::to_yaml(loaded));
  return 0;
}

}  // namespace

config::Loaded read_configuration(const std::string& file, std::vector<config::FlagValue> flags) {
  config::Sources sources{.file = std::nullopt,
                          .environment = config::process_environment(),
                          .flags = std::move(flags)};
  config::Loaded loaded;
  if (!file.empty()) {
    auto text = config::read_file(file);
    if (text) {
      sources.file = std::move(*text);
    } else {
      loaded.errors.push_back(text.error().message);
    }
  }
  if (loaded.ok()) loaded = config::load(sources);
  return loaded;
}

config::Loaded load_configuration(const std::string& file, std::vector<config::FlagValue> flags) {
  config::Loaded loaded = read_configuration(file, std::move(flags));
  for (const std::string& warning : loaded.warnings) fmt::print(stderr, "warning: {}\n", warning);
  for (const std::string& error : loaded.errors) fmt::print(stderr, "{}\n", error);
  return loaded;
}

void add_check_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("check", R"(Tests a configuration without starting anything.

Examples:
  turnpike check turnpike.yaml

Every mistake is named with file, line, column, key and the nearest valid key. The environment counts, as in serve.
Exit status: 0 good, 2 not.)");
  command->add_option("FILE", options->file, "Configuration file")->required();
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

void add_config_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand(
      "config", R"(Prints the effective configuration and the origin of each value.

Examples:
  turnpike config
  turnpike config turnpike.yaml --format json
  turnpike config --schema > turnpike.schema.json

Later wins: defaults and preset, file, environment (TURNPIKE_LIMITS_BODY for limits.body), flags of serve. API keys are
shown as ***.)");
  command->add_option("FILE", options->file, "Configuration file; none: defaults and environment");
  command->add_option("--format", options->format, "yaml or json")
      ->check(CLI::IsMember({"yaml", "json"}))
      ->capture_default_str();
  command->add_flag("--schema", options->schema, "Print a JSON schema of the file instead");
  command->add_flag("--reference", options->reference,
                    "Print the tables of docs/configuration.md instead");
  command->callback([options, &exit_code] { exit_code = print(*options); });
}

}  // namespace turnpike::app
