#include "upstream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "wire.h"

namespace turnpike::bench {
namespace {

constexpr std::string_view kCompletion =
    R"({"id":"chatcmpl-5f3a9c","object":"chat.completion","created":1760000000,"model":"bench","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog.","refusal":null,"tool_calls":[]},)"
    R"("logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":256,"total_tokens":266,"completion_tokens":10,)"
    R"("prompt_tokens_details":{"cached_tokens":128}}})";
constexpr std::string_view kEvent =
    R"(data: {"id":"chatcmpl-5f3a9c","object":"chat.completion.chunk","created":1760000000,"model":"bench",)"
    R"("choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kRoleEvent =
    R"(data: {"id":"chatcmpl-5f3a9c","object":"chat.completion.chunk","created":1760000000,"model":"bench",)"
    R"("choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"bench","object":"model","created":1760000000,"owned_by":"vllm","max_model_len":4194304}]})";
constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: "
    "chunked\r\n\r\n";

std::string chunk(std::string_view bytes) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  return std::string(size.data(), end) + "\r\n" + std::string(bytes) + "\r\n";
}

std::string whole(std::string_view type, std::string_view body) {
  return "HTTP/1.1 200 OK\r\ncontent-type: " + std::string(type) +
         "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string metrics(std::uint64_t running) {
  return "# TYPE vllm:num_requests_running "
         "gauge\nvllm:num_requests_running{engine=\"0\",model_name=\"bench\"} " +
         std::to_string(running) +
         "\n# TYPE vllm:num_requests_waiting "
         "gauge\nvllm:num_requests_waiting{engine=\"0\",model_name=\"bench\"} 0\n"
         "# TYPE vllm:kv_cache_usage_perc "
         "gauge\nvllm:kv_cache_usage_perc{engine=\"0\",model_name=\"bench\"} 0.1\n"
         "# TYPE vllm:cache_config_info "
         "gauge\nvllm:cache_config_info{block_size=\"16\",engine=\"0\","
         "num_gpu_blocks=\"62500000\"} 1\n";
}

struct Wish {
  Mode mode = Mode::answer;
  std::chrono::microseconds interval{0};
};

Wish wish_of(std::string_view head) {
  const auto value = header_value(head, "x-bench");
  Wish wish;
  const auto blank = value.find(' ');
  const auto name = value.substr(0, blank);
  if (name == "events") wish.mode = Mode::events;
  if (name == "spread") wish.mode = Mode::spread;
  if (name == "silent") wish.mode = Mode::silent;
  if (name == "never") wish.mode = Mode::never;
  if (name == "flood") wish.mode = Mode::flood;
  if (blank != std::string_view::npos)
    wish.interval = std::chrono::microseconds(to_number(value.substr(blank + 1)));
  return wish;
}

const std::string& event_chunk() {
  static const std::string bytes = chunk(kEvent);
  return bytes;
}

const std::string& flood_bytes() {
  static const std::string bytes = [] {
    std::string all;
    while (all.size() < 256UL * 1024) all += event_chunk();
    return all;
  }();
  return bytes;
}

}  // namespace

class Upstream::Connection final : public Socket {
 public:
  Connection(Upstream& owner, int fd) : Socket(fd), owner_(owner), serial_(owner.next_serial_++) {}

  void on_events(std::uint32_t events) override {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !receive()) return;
    if ((events & EPOLLOUT) != 0) flush();
  }

  // The next event of a stream, and the timer of the one after it.
  void tick(Clock::time_point due) {
    send_bytes(event_chunk());
    schedule(due + interval_);
  }

  void schedule(Clock::time_point due) {
    owner_.loop_.at(due, [&owner = owner_, serial = serial_, due] {
      const auto found = owner.live_.find(serial);
      if (found != owner.live_.end()) found->second->tick(due);
    });
  }

 private:
  bool receive() {
    static std::array<char, 256UL * 1024> buffer;
    const auto got = recv(fd(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) {
      leave();
      return false;
    }
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (body_left_ > 0) {
      const auto taken = std::min(body_left_, bytes.size());
      body_left_ -= taken;
      bytes.remove_prefix(taken);
      if (body_left_ == 0) serve();
    }
    if (bytes.empty()) return true;
    in_ += bytes;
    const auto end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return true;
    head_ = in_.substr(0, end + 2);
    const auto length = static_cast<std::size_t>(to_number(header_value(head_, "content-length")));
    if (!header_value(head_, "transfer-encoding").empty())
      throw std::runtime_error("the upstream reads no chunked requests");
    const auto here = in_.size() - end - 4;
    in_.clear();  // nobody pipelines to an upstream
    body_left_ = length - std::min(length, here);
    if (body_left_ == 0) serve();
    return true;
  }

  void serve() {
    if (head_.starts_with("GET ")) {
      if (head_.starts_with("GET /v1/models"))
        return send_bytes(whole("application/json", kModels));
      if (head_.starts_with("GET /metrics"))
        return send_bytes(whole("text/plain", metrics(owner_.counters_.serving)));
      return send_bytes(whole("application/json", "{}"));
    }
    ++owner_.counters_.requests;
    const auto wish = wish_of(head_);
    if (wish.mode == Mode::answer) {
      static const std::string answer = whole("application/json", kCompletion);
      return send_bytes(answer);
    }
    serving_ = true;
    ++owner_.counters_.serving;
    if (wish.mode == Mode::never) return;
    send_bytes(std::string(kStreamHead) + chunk(kRoleEvent) + event_chunk());
    if (wish.mode == Mode::events || wish.mode == Mode::spread) {
      interval_ = wish.interval;
      owner_.live_[serial_] = this;
      const auto now = Clock::now();
      if (wish.mode == Mode::spread) {
        // Evenly over the interval (golden ratio).
        const auto share = std::fmod(static_cast<double>(serial_) * 0.6180339887, 1.0);
        schedule(now +
                 Nanos(static_cast<std::int64_t>(static_cast<double>(interval_.count()) * share)));
      } else {
        schedule(now + interval_ - now.time_since_epoch() % interval_);
      }
    } else if (wish.mode == Mode::flood) {
      flooding_ = true;
      flush();
    }
  }

  void send_bytes(std::string_view bytes) {
    if (out_.empty()) {
      const auto sent = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (bytes.empty()) return;
      owner_.loop_.rewatch(*this, EPOLLIN | EPOLLOUT);
    }
    out_ += bytes;
  }

  void flush() {
    for (;;) {
      while (!out_.empty()) {
        const auto sent = send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        out_.erase(0, static_cast<std::size_t>(sent));
      }
      if (!flooding_) return owner_.loop_.rewatch(*this, EPOLLIN);
      out_ = flood_bytes();
      owner_.loop_.rewatch(*this, EPOLLIN | EPOLLOUT);
    }
  }

  void leave() {
    if (serving_) {
      --owner_.counters_.serving;
      ++owner_.counters_.abandoned;
      owner_.counters_.last_abandoned = Clock::now();
    }
    owner_.live_.erase(serial_);
    owner_.loop_.drop(*this);
  }

  Upstream& owner_;
  std::uint64_t serial_;
  std::string in_;
  std::string head_;
  std::size_t body_left_ = 0;
  std::string out_;
  Nanos interval_{0};
  bool serving_ = false;
  bool flooding_ = false;
};

class Upstream::Listener final : public Socket {
 public:
  Listener(Upstream& owner, int fd) : Socket(fd), owner_(owner) {}

  void on_events(std::uint32_t) override {
    for (;;) {
      const int fd = accept4(this->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      owner_.loop_.adopt(std::make_unique<Connection>(owner_, fd), EPOLLIN);
    }
  }

 private:
  Upstream& owner_;
};

Upstream::Upstream(EventLoop& loop, std::uint16_t port) : loop_(loop) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  auto address = loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 4096) != 0) {
    throw std::system_error(errno, std::generic_category(), "upstream port");
  }
  loop_.adopt(std::make_unique<Listener>(*this, fd), EPOLLIN);
}

}  // namespace turnpike::bench
