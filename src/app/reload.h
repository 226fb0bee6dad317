#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin_api.h"
#include "base/log.h"
#include "config/load.h"
#include "gateway/gateway.h"

namespace turnpike::app {

// Reads the configuration of a running gateway again and puts what has changed in force: backends, tenants and their files, certificates, and
// everything that belongs to the policy. What runs is never touched: an endpoint that is gone finishes what it has. A configuration
// with a mistake in it changes nothing. The control thread only.
class Reloader {
 public:
  Reloader(gateway::Gateway& gateway, std::string file, std::vector<config::FlagValue> flags,
           config::Loaded loaded, Log log)
      : gateway_(gateway),
        file_(std::move(file)),
        flags_(std::move(flags)),
        loaded_(std::move(loaded)),
        log_(std::move(log)) {
    note_files();
  }

  // `why`: for the log.
  admin::ReloadReport reload(std::string_view why);
  // True once for every time one of the files was written since the last look or reload. A second must lie between two changes that are to be told
  // apart.
  bool files_changed();

 private:
  [[nodiscard]] std::vector<std::string> files() const;
  void note_files();

  gateway::Gateway& gateway_;
  const std::string file_;
  const std::vector<config::FlagValue> flags_;
  config::Loaded loaded_;
  Log log_;
  std::map<std::string, std::int64_t> written_;  // file, and when; ns
};

}  // namespace turnpike::app
