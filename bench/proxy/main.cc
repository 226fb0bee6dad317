// The load and the upstream of the proxy comparison, in one thread: reads one measurement a line from standard input, prints
// one JSON object a line. bench/proxy/run.py starts it and the proxies.
//
//   NAME port=P [pids=1,2] [key=value...]
//
// `port` is the proxy's, or the upstream's own for the direct path. CPU and memory are those of `pids`.

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "client.h"
#include "event_loop.h"
#include "process.h"
#include "upstream.h"
#include "wire.h"

namespace turnpike::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Command {
  std::string name;
  std::map<std::string, std::string> values;

  std::int64_t number(const std::string& key, std::int64_t otherwise) const {
    const auto found = values.find(key);
    return found == values.end() ? otherwise : to_number(found->second);
  }
  std::string text(const std::string& key, const std::string& otherwise) const {
    const auto found = values.find(key);
    return found == values.end() ? otherwise : found->second;
  }
  std::uint16_t port() const { return static_cast<std::uint16_t>(number("port", 0)); }
  Processes processes() const {
    std::vector<int> pids;
    std::istringstream list(text("pids", ""));
    for (std::string pid; std::getline(list, pid, ',');)
      pids.push_back(static_cast<int>(to_number(pid)));
    return Processes(std::move(pids));
  }
};

Command parse(const std::string& line) {
  std::istringstream words(line);
  Command command;
  words >> command.name;
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    command.values[word.substr(0, equals)] =
        equals == std::string::npos ? "" : word.substr(equals + 1);
  }
  return command;
}

double in_us(Nanos duration) {
  return static_cast<double>(duration.count()) / 1e3;
}

// Value at the quantile q (0..1) of `values`, which it sorts; 0 if there are none.
double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(q * last + 0.5)];
}

class Result {
 public:
  Result& add(const char* key, double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%s\"%s\":%.3f", json_.empty() ? "" : ",", key, value);
    json_ += text;
    return *this;
  }
  Result& latencies(std::vector<double> us) {
    return add("p50_us", quantile(us, .5))
        .add("p99_us", quantile(us, .99))
        .add("p999_us", quantile(us, .999));
  }
  std::string json() const { return "{" + json_ + "}"; }

 private:
  std::string json_;
};

class Measurements {
 public:
  explicit Measurements(std::uint16_t upstream_port) : upstream_(loop_, upstream_port) {}

  EventLoop& loop() { return loop_; }

  Result run(const Command& command) {
    if (command.name == "closed") return closed(command);
    if (command.name == "streams") return streams(command);
    if (command.name == "rate") return rate(command);
    if (command.name == "idle") return idle(command);
    if (command.name == "leave") return leave(command);
    if (command.name == "slow") return slow(command);
    throw std::runtime_error("no measurement named " + command.name);
  }

 private:
  // As fast as it goes: `connections` sessions, each sending its next request when the last is answered.
  Result closed(const Command& command) {
    const auto connections = command.number("connections", 64);
    const auto prompt = static_cast<std::size_t>(command.number("prompt", 1024));
    const auto duration = milliseconds(command.number("ms", 3000));
    bool counting = false;
    bool stopping = false;
    std::int64_t failures = 0;
    std::set<Client*> open;
    std::vector<double> us;
    std::vector<std::string> requests;
    for (std::int64_t i = 0; i < connections; ++i) {
      requests.push_back(chat_request("session-" + std::to_string(i), prompt, false, ""));
    }
    for (std::int64_t i = 0; i < connections; ++i) {
      const std::string& request = requests[static_cast<std::size_t>(i)];
      auto& opened = Client::connect(loop_, command.port(), [&](Client& client, bool ok) {
        if (!ok) ++failures;
        if (counting) us.push_back(in_us(Clock::now() - client.sent()));
        if (!ok) {
          open.erase(&client);
        } else if (!stopping) {
          client.send_request(request);
        } else {
          open.erase(&client);
          client.leave();
        }
      });
      open.insert(&opened);
      opened.send_request(request);
    }
    loop_.run_for(duration / 4);  // warm: connections to the upstream are open, caches filled
    const auto processes = command.processes();
    const auto cpu = processes.cpu();
    const auto started = Clock::now();
    counting = true;
    loop_.run_for(duration);
    counting = false;
    const auto used = processes.cpu() - cpu;
    const auto elapsed = std::chrono::duration<double>(Clock::now() - started).count();
    stopping = true;
    loop_.run([&] { return open.empty(); }, Clock::now() + seconds(10));
    for (auto* client : open) client->leave();
    const auto count = static_cast<double>(us.size());
    return Result()
        .add("requests_per_s", count / elapsed)
        .add("cpu_us", in_us(used) / std::max(count, 1.0))
        .add("cpu_share", std::chrono::duration<double>(used).count() / elapsed)
        .add("failures", static_cast<double>(failures))
        .latencies(std::move(us));
  }

  // Open streams at a fixed rate of events.
  Result streams(const Command& command) {
    const auto count = command.number("streams", 64);
    const auto wish = command.text("mode", "events") + " " +
                      std::to_string(1'000'000 / command.number("rate", 50));
    std::vector<Client*> clients;
    std::int64_t failures = 0;
    open_streams(command, count, wish, clients, failures);
    loop_.run_for(milliseconds(500));
    const auto processes = command.processes();
    const auto cpu = processes.cpu();
    const auto before = events_of(clients);
    const auto started = Clock::now();
    loop_.run_for(milliseconds(command.number("ms", 3000)));
    const auto used = processes.cpu() - cpu;
    const auto events = static_cast<double>(events_of(clients) - before);
    const auto elapsed = std::chrono::duration<double>(Clock::now() - started).count();
    close_all(clients);
    return Result()
        .add("events_per_s", events / elapsed)
        .add("cpu_us", in_us(used) / std::max(events, 1.0))
        .add("failures", static_cast<double>(failures));
  }

  // A fixed rate of requests, far below what the proxy can do: latency as seen by the client.
  Result rate(const Command& command) {
    const auto rate = command.number("rate", 1000);
    const auto total = rate * command.number("ms", 3000) / 1000;
    const auto prompt = static_cast<std::size_t>(command.number("prompt", 1024));
    const auto gap = Nanos(1'000'000'000 / rate);
    std::vector<Client*> idle;
    std::set<Client*> open;
    std::vector<double> us;
    std::int64_t ended = 0;
    std::int64_t failures = 0;
    const auto done = [&](Client& client, bool ok) {
      ++ended;
      if (!ok) {
        ++failures;
        open.erase(&client);
        std::erase(idle, &client);
        return;
      }
      us.push_back(in_us(Clock::now() - client.sent()));
      idle.push_back(&client);
    };
    const auto start = Clock::now() + milliseconds(10);
    std::function<void(std::int64_t)> next = [&](std::int64_t i) {
      if (i == total) return;
      loop_.at(start + gap * i, [&, i] {
        next(i + 1);
        const auto request = chat_request("session-" + std::to_string(i % 64), prompt, false, "");
        if (idle.empty()) {
          auto& opened = Client::connect(loop_, command.port(), done);
          open.insert(&opened);
          opened.send_request(request);
        } else {
          auto* client = idle.back();
          idle.pop_back();
          client->send_request(request);
        }
      });
    };
    next(0);
    loop_.run([&] { return ended == total; }, start + gap * total + seconds(5));
    for (auto* client : open) client->leave();
    // The first tenth opens connections.
    us.erase(us.begin(), us.begin() + static_cast<std::ptrdiff_t>(us.size() / 10));
    return Result()
        .add("requests", static_cast<double>(us.size()))
        .add("failures", static_cast<double>(failures))
        .latencies(std::move(us));
  }

  // Streams that are open and say nothing: memory each.
  Result idle(const Command& command) {
    const auto count = command.number("streams", 1000);
    const auto processes = command.processes();
    std::vector<Client*> clients;
    std::int64_t failures = 0;
    open_streams(command, 10, "silent", clients, failures);
    const auto before = processes.resident();
    open_streams(command, count, "silent", clients, failures);
    loop_.run_for(milliseconds(300));
    const auto after = processes.resident();
    close_all(clients);
    return Result()
        .add("kb_per_stream",
             static_cast<double>(after - before) / 1024 / static_cast<double>(count))
        .add("failures", static_cast<double>(failures));
  }

  // A client that leaves: time from its close() to the upstream's seeing its own connection closed.
  Result leave(const Command& command) {
    const auto rounds = command.number("rounds", 200);
    const auto mode = command.text("mode", "events");  // events, silent, never
    const auto wish = mode == "events" ? "events 5000" : mode;
    std::vector<double> us;
    std::int64_t never_closed = 0;
    for (std::int64_t round = 0; round < rounds; ++round) {
      bool broke = false;
      auto& client = Client::connect(loop_, command.port(), [&](Client&, bool) { broke = true; });
      const auto requests = upstream_.counters().requests;
      client.send_request(chat_request("leaver-" + std::to_string(round), 1024, true, wish));
      const std::uint64_t wanted = mode == "events" ? 4 : mode == "silent" ? 2 : 0;
      const bool reached = loop_.run(
          [&] {
            return broke || (upstream_.counters().requests > requests && client.events() >= wanted);
          },
          Clock::now() + seconds(5));
      if (!reached || broke) throw std::runtime_error("leave: the stream did not start");
      loop_.run_for(milliseconds(3));
      const auto abandoned = upstream_.counters().abandoned;
      client.leave();
      const auto left = Clock::now();
      if (loop_.run([&] { return upstream_.counters().abandoned > abandoned; },
                    left + milliseconds(500))) {
        us.push_back(in_us(upstream_.counters().last_abandoned - left));
      } else if (++never_closed == 5) {
        break;
      }
    }
    return Result().add("never_closed", static_cast<double>(never_closed)).latencies(std::move(us));
  }

  // One reader at 1 KB/s of a stream that the upstream writes as fast as it can: memory grown.
  Result slow(const Command& command) {
    const auto processes = command.processes();
    const auto before = processes.resident();
    bool broke = false;
    auto& client =
        Client::connect(loop_, command.port(), [&](Client&, bool) { broke = true; }, 4096);
    client.send_request(chat_request("slow", 1024, true, "flood"));
    loop_.run_for(milliseconds(20));
    if (broke) throw std::runtime_error("slow: the stream broke off");
    client.pause();
    const auto ticks = command.number("ms", 5000) / 100;
    for (std::int64_t i = 0; i < ticks; ++i) {
      client.read_some(102);
      loop_.run_for(milliseconds(100));
    }
    const auto after = processes.resident();
    client.leave();
    loop_.run_for(milliseconds(200));
    return Result().add("grown_mb", static_cast<double>(after - before) / 1048576);
  }

  // Opens streams, in lots so that no listener's backlog overflows, and waits for the first events of all.
  void open_streams(const Command& command, std::int64_t count, const std::string& wish,
                    std::vector<Client*>& clients, std::int64_t& failures) {
    for (std::int64_t i = 0; i < count; ++i) {
      auto& client = Client::connect(loop_, command.port(), [&](Client& ended, bool) {
        ++failures;
        std::erase(clients, &ended);
      });
      clients.push_back(&client);
      client.send_request(
          chat_request("stream-" + std::to_string(clients.size()), 1024, true, wish));
      if (i % 50 == 49 || i + 1 == count) {
        loop_.run(
            [&] { return std::ranges::all_of(clients, [](auto* c) { return c->events() >= 2; }); },
            Clock::now() + seconds(5));
      }
    }
  }

  static std::uint64_t events_of(const std::vector<Client*>& clients) {
    std::uint64_t total = 0;
    for (const auto* client : clients) total += client->events();
    return total;
  }

  void close_all(std::vector<Client*>& clients) {
    for (auto* client : clients) client->leave();
    clients.clear();
    loop_.run([&] { return upstream_.counters().serving == 0; }, Clock::now() + seconds(2));
  }

  EventLoop loop_;
  Upstream upstream_;
};

// Standard input, a line at a time, as one more socket of the loop.
class CommandInput final : public Socket {
 public:
  CommandInput() : Socket(STDIN_FILENO) {}

  void on_events(std::uint32_t) override {
    std::array<char, 4096> buffer;
    const auto got = read(fd(), buffer.data(), buffer.size());
    if (got > 0) text_.append(buffer.data(), static_cast<std::size_t>(got));
    ended_ = got <= 0;
  }

  bool ended() const { return ended_; }
  bool has_line() const { return text_.find('\n') != std::string::npos; }
  std::string take_line() {
    const auto end = text_.find('\n');
    auto line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }

 private:
  std::string text_;
  bool ended_ = false;
};

int run(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: proxy_bench UPSTREAM_PORT   (see bench/proxy/run.py)\n");
    return 2;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Measurements measurements(static_cast<std::uint16_t>(to_number(argv[1])));
  std::printf("{\"ready\":1}\n");
  std::fflush(stdout);
  auto& input = measurements.loop().adopt(std::make_unique<CommandInput>(), EPOLLIN);
  for (;;) {
    // The upstream answers gateways' probes between measurements as well.
    measurements.loop().run([&] { return input.has_line() || input.ended(); },
                            Clock::time_point::max());
    if (!input.has_line()) break;
    try {
      std::printf("%s\n", measurements.run(parse(input.take_line())).json().c_str());
    } catch (const std::exception& error) {
      std::printf("{\"error\":\"%s\"}\n", error.what());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace turnpike::bench

int main(int argc, char** argv) {
  return turnpike::bench::run(argc, argv);
}
