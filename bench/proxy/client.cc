#include "client.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "wire.h"

namespace turnpike::bench {

std::string chat_request(std::string_view session, std::size_t prompt_bytes, bool stream,
                         std::string_view wish) {
  static constexpr std::string_view kWords =
      "the engine holds what the last turn said and only what is new costs time ";
  std::string prompt(session);
  prompt += ' ';
  while (prompt.size() < prompt_bytes) prompt += kWords;
  prompt.resize(std::max(prompt_bytes, session.size()));
  std::string body =
      R"({"model":"bench","messages":[{"role":"system","content":"You are a helpful assistant."},)"
      R"({"role":"user","content":")" +
      prompt + R"("}],"max_tokens":256,"temperature":0.7)";
  if (stream) body += R"(,"stream":true,"stream_options":{"include_usage":true})";
  body += '}';
  std::string request =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: bench.local\r\nuser-agent: "
      "proxy-bench\r\naccept: */*\r\n"
      "authorization: Bearer sk-bench\r\ncontent-type: application/json\r\nx-session-id: ";
  request += session;
  if (!wish.empty()) request.append("\r\nx-bench: ").append(wish);
  request += "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n";
  return request + body;
}

Client& Client::connect(EventLoop& loop, std::uint16_t port, Done done, int receive_buffer) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const auto address = loopback(port);
  // Blocking: on the loopback this takes microseconds, and a refusal is the whole run's failure.
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return loop.adopt(std::make_unique<Client>(loop, fd, std::move(done)), EPOLLIN);
}

void Client::send_request(std::string_view bytes) {
  state_ = State::head;
  head_.clear();
  tail_.clear();
  events_ = 0;
  sent_ = Clock::now();
  out_ = bytes;
  flush();
}

void Client::leave() {
  loop_.drop(*this);
}

void Client::pause() {
  loop_.rewatch(*this, 0);
}

std::size_t Client::read_some(std::size_t most) {
  std::string buffer(most, '\0');
  const auto got = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void Client::on_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
}

void Client::flush() {
  while (!out_.empty()) {
    const auto sent = send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return loop_.rewatch(*this, EPOLLIN | EPOLLOUT);
    if (static_cast<std::size_t>(sent) == out_.size()) {
      out_.clear();
    } else {
      out_.erase(0, static_cast<std::size_t>(sent));
      loop_.rewatch(*this, EPOLLIN | EPOLLOUT);
      return;
    }
  }
  loop_.rewatch(*this, EPOLLIN);
}

bool Client::receive() {
  static std::array<char, 256UL * 1024> buffer;
  const auto got = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) {
    done_(*this, false);
    loop_.drop(*this);
    return false;
  }
  take(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  return true;
}

void Client::take(std::string_view bytes) {
  if (state_ == State::head) {
    head_ += bytes;
    const auto end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    ok_ = head_.starts_with("HTTP/1.1 200 ");
    bytes = bytes.substr(bytes.size() - (head_.size() - end - 4));
    head_.resize(end + 2);
    const bool chunked = !header_value(head_, "transfer-encoding").empty();
    state_ = chunked ? State::chunked : State::sized;
    left_ = static_cast<std::size_t>(to_number(header_value(head_, "content-length")));
  }
  if (state_ == State::sized) {
    left_ -= std::min(left_, bytes.size());
    if (left_ == 0) end(ok_);
  } else if (state_ == State::chunked) {
    for (auto at = bytes.find("\n\n"); at != std::string_view::npos;
         at = bytes.find("\n\n", at + 2))
      ++events_;
    tail_ += bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 7));
    if (tail_.size() > 7) tail_.erase(0, tail_.size() - 7);
    if (tail_ == "\r\n0\r\n\r\n") end(ok_);
  }
}

void Client::end(bool ok) {
  state_ = State::idle;
  done_(*this, ok);
}

}  // namespace turnpike::bench
