#include "net/tls_context.h"

#include <array>
#include <ctime>
#include <string_view>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace turnpike::net {

namespace {

constexpr std::string_view kHttp1 = "\x08http/1.1";
constexpr std::string_view kHttp2AndHttp1 = "\x02h2\x08http/1.1";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Error openssl_error(std::string what) {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  if (reason != nullptr) what += std::string(": ") + reason;
  return Error{std::move(what)};
}

// The first of our protocols that the client knows. None: the handshake fails, as RFC 7301 wants it.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void* http2) {
  const std::string_view ours = http2 != nullptr ? kHttp2AndHttp1 : kHttp1;
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, bytes_of(ours),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void set_common(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // Of TLS 1.2 what HTTP/2 allows; those of 1.3 are all good.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // Idle connections own no buffers; a write that the socket did not take may be repeated from another place.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One system call for all records that have arrived, not two for each.
  SSL_CTX_set_read_ahead(context, 1);
}

Expected<void> use_certificate(SSL_CTX* context, const std::string& certificate,
                               const std::string& key) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return std::unexpected(openssl_error(certificate + " holds no usable certificate"));
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return std::unexpected(openssl_error(key + " holds no usable key of " + certificate));
  return {};
}

}  // namespace

void SslDelete::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}
void SslDelete::operator()(ssl_st* session) const {
  SSL_free(session);
}

Expected<TlsContext> TlsContext::for_server(const TlsServerSettings& settings) {
  ERR_clear_error();
  Handle handle(SSL_CTX_new(TLS_server_method()));
  if (!handle) return std::unexpected(openssl_error("cannot set up TLS"));
  set_common(handle.get());
  if (auto used = use_certificate(handle.get(), settings.certificate, settings.key); !used)
    return std::unexpected(used.error());
  SSL_CTX_set_alpn_select_cb(handle.get(), choose_protocol,
                             settings.http2 ? handle.get() : nullptr);
  // Tickets carry the sessions; there is nothing to keep here. They are good only where the same rules hold.
  SSL_CTX_set_session_cache_mode(handle.get(), SSL_SESS_CACHE_OFF);
  constexpr std::string_view kSessions = "turnpike";
  SSL_CTX_set_session_id_context(handle.get(), bytes_of(kSessions), kSessions.size());
  if (settings.client_certificates != ClientCertificates::none) {
    if (SSL_CTX_load_verify_locations(handle.get(), settings.client_ca.c_str(), nullptr) != 1)
      return std::unexpected(openssl_error(settings.client_ca + " holds no usable certificate"));
    SSL_CTX_set_client_CA_list(handle.get(), SSL_load_client_CA_file(settings.client_ca.c_str()));
    int mode = SSL_VERIFY_PEER;
    if (settings.client_certificates == ClientCertificates::required)
      mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(handle.get(), mode, nullptr);
  }
  TlsContext context(std::move(handle));
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context.handle_.get())), &end) ==
      1) {
    context.expires_ = std::chrono::system_clock::from_time_t(::timegm(&end));
  }
  return context;
}

Expected<TlsContext> TlsContext::for_client(const TlsClientSettings& settings) {
  ERR_clear_error();
  Handle handle(SSL_CTX_new(TLS_client_method()));
  if (!handle) return std::unexpected(openssl_error("cannot set up TLS"));
  set_common(handle.get());
  if (!settings.certificate.empty()) {
    if (auto used = use_certificate(handle.get(), settings.certificate, settings.key); !used)
      return std::unexpected(used.error());
  }
  if (settings.verify) {
    const bool loaded = settings.ca.empty() ? SSL_CTX_set_default_verify_paths(handle.get()) == 1
                                            : SSL_CTX_load_verify_locations(
                                                  handle.get(), settings.ca.c_str(), nullptr) == 1;
    if (!loaded) {
      return std::unexpected(openssl_error(settings.ca.empty()
                                               ? "cannot load the system's certificates"
                                               : settings.ca + " holds no usable certificate"));
    }
    SSL_CTX_set_verify(handle.get(), SSL_VERIFY_PEER, nullptr);
  }
  if (SSL_CTX_set_alpn_protos(handle.get(), bytes_of(kHttp1),
                              static_cast<unsigned int>(kHttp1.size())) != 0) {
    return std::unexpected(openssl_error("cannot set up TLS"));
  }
  TlsContext context(std::move(handle));
  context.verify_ = settings.verify;
  return context;
}

Ssl TlsContext::accept() const {
  Ssl ssl(SSL_new(handle_.get()));
  if (!ssl) throw std::bad_alloc();
  SSL_set_accept_state(ssl.get());
  return ssl;
}

Ssl TlsContext::connect(const std::string& server_name) const {
  Ssl ssl(SSL_new(handle_.get()));
  if (!ssl) throw std::bad_alloc();
  SSL_set_connect_state(ssl.get());
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  const bool is_address = ::inet_pton(AF_INET, server_name.c_str(), ignored.data()) == 1 ||
                          ::inet_pton(AF_INET6, server_name.c_str(), ignored.data()) == 1;
  if (!is_address) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  if (verify_) {
    const int set =
        is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name.c_str())
                   : SSL_set1_host(ssl.get(), server_name.c_str());
    if (set != 1) throw std::bad_alloc();
  }
  return ssl;
}

}  // namespace turnpike::net
