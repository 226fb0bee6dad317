#include "gateway/certificates.h"

#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace turnpike::gateway {

Expected<Certificates> Certificates::load(const net::TlsServerSettings& settings) {
  Certificates certificates;
  if (settings.certificate.empty()) return certificates;
  certificates.settings_ = settings;
  certificates.seen_ = stamps_of(settings);
  auto context = net::TlsContext::for_server(settings);
  if (!context) return fail("tls: " + context.error().message);
  certificates.board_ =
      std::make_unique<net::TlsBoard>(std::make_shared<const net::TlsContext>(*std::move(context)));
  return certificates;
}

Certificates::Stamps Certificates::stamps_of(const net::TlsServerSettings& settings) {
  const auto stamp_of = [](const std::string& path) {
    struct stat found{};
    if (path.empty() || ::stat(path.c_str(), &found) != 0) return Stamp{};
    return Stamp{
        .inode = found.st_ino,
        .size = found.st_size,
        .changed_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
  };
  return {stamp_of(settings.certificate), stamp_of(settings.key), stamp_of(settings.client_ca)};
}

void Certificates::look(const Log& log) {
  if (!board_) return;
  const Stamps found = stamps_of(settings_);
  if (found == seen_) return;
  seen_ = found;  // what cannot be used is told once
  if (const auto read = change(net::TlsServerSettings(settings_)); !read) {
    log(Severity::warning,
        fmt::format("{}; the certificate stays as it was", read.error().message));
    return;
  }
  log(Severity::info, fmt::format("tls: read {} again", settings_.certificate));
}

Expected<void> Certificates::change(const net::TlsServerSettings& settings) {
  if (!board_ || settings.certificate.empty()) return {};
  // Before reading: a file that changes meanwhile is read again.
  const Stamps found = stamps_of(settings);
  auto context = net::TlsContext::for_server(settings);
  if (!context) {
    ++failures_;
    return fail("tls: " + context.error().message);
  }
  settings_ = settings;
  seen_ = found;
  board_->publish(std::make_shared<const net::TlsContext>(*std::move(context)));
  ++reloads_;
  return {};
}

std::optional<Certificates::Status> Certificates::status() const {
  if (!board_) return std::nullopt;
  return Status{
      .reloads = reloads_, .failures = failures_, .expires = board_->current()->expires()};
}

}  // namespace turnpike::gateway
