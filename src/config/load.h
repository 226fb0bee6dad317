#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "config/config.h"

namespace turnpike::config {

// A value given on the command line, under the name of its key ("access_log.format"). Several values make a list.
struct FlagValue {
  std::string key;
  std::vector<std::string> values;
  std::string flag;  // "--access-log", for messages
};

struct FileText {
  std::string name;  // as the user gave it, for messages
  std::string text;
};

// Where a configuration comes from; later ones win: file, environment, flags.
struct Sources {
  std::optional<FileText> file;
  std::vector<std::pair<std::string, std::string>>
      environment;  // all of it; what is not ours is ignored
  std::vector<FlagValue> flags;
};

// Where the value of a key came from: "turnpike.yaml:3", "$TURNPIKE_LISTEN", "--listen". Keys that are not here have
// their default, or their preset's.
using Origins = std::map<std::string, std::string, std::less<>>;

struct Loaded {
  Config config;
  Origins origins;
  std::vector<std::string>
      errors;  // "turnpike.yaml:3:5: timeouts.conect: unknown key; did you mean timeouts.connect?"
  std::vector<std::string> warnings;  // what is accepted, but will surprise

  [[nodiscard]] bool ok() const { return errors.empty(); }
};

// Reads all of it and reports every mistake, not only the first. Pure: no file and no process environment.
Loaded load(const Sources& sources);

// The text of a file of at most 1 MiB; an error names it.
Expected<FileText> read_file(const std::string& path);
// The environment of this process.
std::vector<std::pair<std::string, std::string>> process_environment();

// The effective configuration with the origin of each value. Secrets are shown as "***".
std::string to_yaml(const Loaded& loaded);
std::string to_json(const Loaded& loaded);
// A JSON schema of the file, for editors.
std::string json_schema();
// Every key with default and effect, as the tables of docs/configuration.md.
std::string reference();

}  // namespace turnpike::config
