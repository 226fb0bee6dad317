#include "gateway/certificates.h"

#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace turnpike::gateway {

Expected<Certificates> Certificates::load(const net::TlsServerSettings& settings) {
  Certificates certificates;
  if (settings.certificate.empty()) return certificates;
  certificates.settings_ = settings;
  certificates.seen_ = certificates.stamps();
  auto context = net::TlsContext::for_server(settings);
  if (!context) return fail("tls: " + context.error().message);
  certificates.board_ = std::make_unique<net::TlsBoard>(std::move(*context));
  return certificates;
}

Certificates::Stamps Certificates::stamps() const {
  const auto stamp_of = [](const std::string& path) {
    struct stat found{};
    if (path.empty() || ::stat(path.c_str(), &found) != 0) return Stamp{};
    return Stamp{
        .inode = found.st_ino,
        .size = found.st_size,
        .changed_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
  };
  return {stamp_of(settings_.certificate), stamp_of(settings_.key), stamp_of(settings_.client_ca)};
}

void Certificates::look(const Log& log, bool now) {
  if (!board_) return;
  // Before reading: a file that changes meanwhile is read again.
  const Stamps found = stamps();
  if (!now && found == seen_) return;
  seen_ = found;
  auto context = net::TlsContext::for_server(settings_);
  if (!context) {
    ++failures_;
    log(Severity::warning,
        fmt::format("tls: the certificate is kept as it was: {}", context.error().message));
    return;
  }
  board_->publish(std::move(*context));
  ++reloads_;
  log(Severity::info, fmt::format("tls: read {} again", settings_.certificate));
}

std::optional<Certificates::Status> Certificates::status() const {
  if (!board_) return std::nullopt;
  return Status{
      .reloads = reloads_, .failures = failures_, .expires = board_->current()->expires()};
}

}  // namespace turnpike::gateway
