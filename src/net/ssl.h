#pragma once

#include <memory>

// OpenSSL's own types, whose headers stay out of ours.
struct ssl_ctx_st;
struct ssl_st;

namespace turnpike::net {

struct SslDelete {
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_st* session) const;
};

// One connection's state of TLS; null: none, the connection is plain.
using Ssl = std::unique_ptr<ssl_st, SslDelete>;

}  // namespace turnpike::net
