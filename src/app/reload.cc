#include "app/reload.h"

#include <cstdint>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "app/config_commands.h"
#include "app/gateway_settings.h"
#include "app/rules.h"
#include "config/describe.h"

namespace turnpike::app {
namespace {

// 0: there is none.
std::int64_t written_at(const std::string& file) {
  struct stat found{};
  if (::stat(file.c_str(), &found) != 0) return 0;
  return std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
}

bool is_live(const config::Key& key) {
  return key.of_policy || key.path == "policy" || key.path == "goal" || key.path == "backends" ||
         key.path == "routes" || key.path.starts_with("tenants.");
}

// Files and rules may change; whether there is TLS at all, and how often it is looked at, may not.
bool is_live_tls(const config::Key& key, const config::Config& before,
                 const config::Config& after) {
  return key.path.starts_with("tls.") && key.path != "tls.reload_interval" &&
         before.tls.certificate.empty() == after.tls.certificate.empty();
}

// Keys whose values differ. Files are read anew each time, whatever their names.
void compare(config::Config before, config::Config after, admin::ReloadReport& report) {
  const std::vector<config::Key> old_keys = config::describe(before);
  const std::vector<config::Key> new_keys = config::describe(after);
  for (std::size_t i = 0; i < old_keys.size(); ++i) {
    const config::Key& key = new_keys[i];
    if (same_value(old_keys[i], key)) continue;
    const bool live = is_live(key) || is_live_tls(key, before, after);
    (live ? report.changed : report.needs_restart).push_back(key.path);
  }
}

}  // namespace

admin::ReloadReport Reloader::reload(std::string_view why) {
  admin::ReloadReport report;
  note_files();
  config::Loaded fresh = read_configuration(file_, flags_);
  if (fresh.ok() && fresh.config.backends.empty()) fresh.errors.emplace_back("no backends");
  const auto rules = rules_of(fresh.config);
  if (fresh.ok() && !rules) fresh.errors.push_back(rules.error().message);
  if (!fresh.ok()) {
    report.errors = fresh.errors;
    log_(Severity::error,
         fmt::format("configuration not changed ({}): {}", why, fmt::join(fresh.errors, "; ")));
    return report;
  }
  compare(loaded_.config, fresh.config, report);
  const gateway::Settings settings = gateway_settings(fresh.config);
  auto changed = gateway_.change_certificates(settings.tls);
  if (changed) changed = gateway_.change_backends(settings.backends);
  if (!changed) {
    report.errors = {changed.error().message};
    log_(Severity::error,
         fmt::format("configuration not changed ({}): {}", why, changed.error().message));
    return report;
  }
  gateway_.set_routes(rules->routes);
  gateway_.set_tenants(rules->tenants);
  if (!(fresh.config.pool == loaded_.config.pool)) gateway_.set_policy(settings.pool);
  report.taken = true;
  log_(Severity::info,
       fmt::format("configuration read again ({}): {}", why,
                   report.changed.empty()
                       ? "nothing to change"
                       : fmt::format("changed {}", fmt::join(report.changed, ", "))));
  if (!report.needs_restart.empty()) {
    log_(Severity::warning,
         fmt::format("these need a restart: {}", fmt::join(report.needs_restart, ", ")));
  }
  loaded_ = std::move(fresh);
  for (const std::string& file : files()) written_.try_emplace(file, written_at(file));
  return report;
}

bool Reloader::files_changed() {
  const auto before = written_;
  note_files();
  return before != written_;
}

std::vector<std::string> Reloader::files() const {
  std::vector<std::string> files;
  for (const std::string& file :
       {file_, loaded_.config.tenants.keys_file, loaded_.config.tenants.jwt.keys_file}) {
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

void Reloader::note_files() {
  written_.clear();
  for (const std::string& file : files()) written_[file] = written_at(file);
}

}  // namespace turnpike::app
