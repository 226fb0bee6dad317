#include "gateway/gateway.h"

namespace turnpike::gateway {

Gateway::Gateway(net::Reactor& control, const Clock& clock, Settings settings,
                 telemetry::AccessLog* access_log, telemetry::FlightRecorder* recorder, Log log)
    : control_(control),
      clock_(clock),
      settings_(std::move(settings)),
      log_(std::move(log)),
      access_log_(access_log),
      recorder_(recorder),
      recent_(settings_.recent_requests, static_cast<std::size_t>(settings_.workers)),
      conversations_(clock_, settings_.conversations, settings_.hash_seed),
      stored_(settings_.stored_responses),
      tenants_(settings_.tenants),
      routes_(settings_.routes),
      rate_limits_(settings_.rate_limit_entries),
      owner_(clock, settings_.pool, recorder),
      metrics_(settings_),
      changed_(control),
      watching_(control),
      certificates_changed_(control) {
  const Shared shared{.clock = clock_,
                      .certificates = certificates_,
                      .owner = owner_,
                      .board = board_,
                      .tenants = tenants_,
                      .routes = routes_,
                      .rate_limits = rate_limits_,
                      .in_flight = in_flight_,
                      .settings = settings_,
                      .access_log = access_log,
                      .recent = recent_,
                      .stored = stored_,
                      .conversations = settings_.sessions.uses_prompt() ? &conversations_ : nullptr,
                      .log = log_,
                      .drained = [this] { control_.post([this] { worker_drained(); }); }};
  for (int i = 0; i < settings_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, shared, metrics_.worker(i)));
  }
  std::vector<DecisionSink*> sinks;
  sinks.reserve(workers_.size());
  for (const auto& worker : workers_) sinks.push_back(worker.get());
  owner_.attach(std::move(sinks), [this](TimePoint at) { workers_[0]->set_alarm(at); });
  fleet_ = std::make_unique<Fleet>(control_, settings_, clock_, owner_, board_, log_);
}

Gateway::~Gateway() {
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
}

Expected<void> Gateway::start() {
  auto certificates = Certificates::load(settings_.tls);
  if (!certificates) return std::unexpected(certificates.error());
  certificates_ = std::move(*certificates);
  auto wanted = net::Address::parse(settings_.listen);
  if (!wanted) return std::unexpected(wanted.error());
  const bool shared = workers_.size() > 1;
  for (const auto& worker : workers_) {
    auto fd = net::listen_on(*wanted, shared);
    if (!fd) return std::unexpected(fd.error());
    *wanted = net::local_address(fd->get());  // the first chooses the port, the others join it
    worker->listen(std::move(*fd));
  }
  address_ = *wanted;
  for (const auto& worker : workers_) worker->start();
  if (certificates_.board() != nullptr) control_.spawn(watching_, watch_certificates());
  return fleet_->start();
}

net::Task<void> Gateway::watch_certificates() {
  net::Deadline next(certificates_changed_);
  while (drained_ < settings_.workers) {
    next.arm(clock_.real(settings_.tls_reload));
    while (!next.expired() && drained_ < settings_.workers) co_await certificates_changed_.wait();
    if (next.expired()) certificates_.look(log_);
  }
}

void Gateway::worker_drained() {
  ++drained_;
  changed_.notify();
}

net::Task<void> Gateway::drain() {
  draining_ = true;
  net::Deadline deadline(changed_);
  deadline.arm(clock_.real(settings_.drain_settle));
  while (!deadline.expired() && !aborting_ && settings_.drain_settle > Duration(0))
    co_await changed_.wait();
  for (const auto& worker : workers_) worker->drain();
  deadline.arm(clock_.real(settings_.drain_timeout));
  bool broken = false;
  while (drained_ < settings_.workers) {
    if ((deadline.expired() || aborting_) && !broken) {
      broken = true;
      for (const auto& worker : workers_) worker->abort();
    }
    co_await changed_.wait();
  }
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
  certificates_changed_.notify();
  co_await watching_.drained();
  co_await fleet_->stop();
}

void Gateway::abort() {
  aborting_ = true;
  changed_.notify();
}

}  // namespace turnpike::gateway
