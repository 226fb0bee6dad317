#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "event_loop.h"

namespace turnpike::bench {

// A chat completion request as bytes on the wire.
// `session`: value of X-Session-ID. `prompt_bytes`: size of the user's message. `wish`: value of x-bench, see upstream.h.
std::string chat_request(std::string_view session, std::size_t prompt_bytes, bool stream,
                         std::string_view wish);

// One keep-alive connection of the load: sends a request, reads its answer, and says so. Runs in the caller's loop.
class Client final : public Socket {
 public:
  // Called when an answer has ended (`ok`: with status 200), or when the connection broke off (`ok` false, and the client
  // is dropped when the call returns).
  using Done = std::function<void(Client&, bool ok)>;

  // Connects to a loopback port at once. `receive_buffer`: bytes, 0 for the system's default.
  static Client& connect(EventLoop& loop, std::uint16_t port, Done done, int receive_buffer = 0);

  void send_request(std::string_view bytes);
  // Closes as a leaving user does.
  void leave();
  // While paused it reads nothing by itself; read_some() reads at most that many bytes and returns how many there were.
  void pause();
  std::size_t read_some(std::size_t most);

  std::uint64_t events() const {
    return events_;
  }  // of the current answer, counted by their blank lines
  Clock::time_point sent() const { return sent_; }

  void on_events(std::uint32_t events) override;

  Client(EventLoop& loop, int fd, Done done) : Socket(fd), loop_(loop), done_(std::move(done)) {}

 private:
  void flush();
  bool receive();
  void take(std::string_view bytes);
  void end(bool ok);

  enum class State : std::uint8_t { idle, head, sized, chunked };

  EventLoop& loop_;
  Done done_;
  State state_ = State::idle;
  bool ok_ = false;
  std::string out_;
  std::string head_;
  std::string tail_;  // the last bytes of a chunked answer, to see its end
  std::size_t left_ = 0;
  std::uint64_t events_ = 0;
  Clock::time_point sent_;
};

}  // namespace turnpike::bench
