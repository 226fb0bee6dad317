#include "config/describe_parts.h"

namespace turnpike::config {

std::vector<Key> describe_tls(TlsConfig& t) {
  return {
      {"tls.certificate", &t.certificate,
       "PEM file of the certificate chain that clients are shown, the server's own first. Set: all "
       "clients speak TLS. Empty: none does."},
      {"tls.key", &t.key, "PEM file of its key."},
      {"tls.client_certificates", choice(t.client_certificates, {"none", "optional", "required"}),
       "Whether clients show certificates: they are not asked; a wrong one is refused; or a wrong "
       "one and none."},
      {"tls.client_ca", &t.client_ca,
       "PEM file of the authorities that may have signed certificates of clients."},
      {"tls.reload_interval", &t.reload_interval,
       "How often these files are looked at: when one has changed, new connections get what it "
       "says, and running ones go on.",
       kPositiveDuration},
  };
}

std::vector<Key> describe_tls(BackendTls& t) {
  return {
      {"tls.ca", &t.ca,
       "PEM file of the authorities that may have signed its certificate (an `https://` URL); "
       "empty: those that the system trusts."},
      {"tls.server_name", &t.server_name,
       "The name that its certificate must bear; empty: the host of the URL."},
      {"tls.certificate", &t.certificate,
       "PEM file of the certificate that it is shown, should it ask; empty: none."},
      {"tls.key", &t.key, "PEM file of the key of that."},
      {"tls.insecure", &t.insecure,
       "Take any certificate from it: whoever stands in between can then read and change all."},
  };
}

}  // namespace turnpike::config
