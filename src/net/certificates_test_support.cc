#include "net/certificates_test_support.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <utility>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace turnpike::net {

namespace {

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using File = std::unique_ptr<std::FILE, Free<std::fclose>>;

void check(bool good) {
  if (!good) throw std::runtime_error("cannot make a certificate");
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  check(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

struct Signed {
  Key key;
  Certificate certificate;
};

// Signed by itself where there is no issuer.
Signed make(const std::string& name, const Signed* issuer, const std::string& alternative) {
  static long serial = 1;
  Signed made{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* const x = made.certificate.get();
  check(made.key && x != nullptr);
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* const by = issuer == nullptr ? x : issuer->certificate.get();
  X509_set_issuer_name(x, X509_get_subject_name(by));
  extend(x, by, NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (!alternative.empty()) extend(x, by, NID_subject_alt_name, alternative);
  EVP_PKEY* const signer = issuer == nullptr ? made.key.get() : issuer->key.get();
  check(X509_sign(x, signer, EVP_sha256()) > 0);
  return made;
}

File open(const std::string& path) {
  File file(std::fopen(path.c_str(), "w"));
  check(file != nullptr);
  return file;
}

}  // namespace

struct TestCertificates::Made {
  std::map<std::string, Signed> authorities;
};

TestCertificates::TestCertificates() : made_(std::make_unique<Made>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "turnpike-tls-XXXXXX").string();
  check(::mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern + "/";
}

TestCertificates::~TestCertificates() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string TestCertificates::authority(const std::string& name) {
  Signed& made = made_->authorities[name] = make(name, nullptr, "");
  const std::string path = directory_ + name + ".pem";
  check(PEM_write_X509(open(path).get(), made.certificate.get()) == 1);
  return path;
}

TestCertificates::Pair TestCertificates::issue(const std::string& authority,
                                               const std::string& file, const std::string& host) {
  const std::string alternative = host.starts_with("IP:") ? host : "DNS:" + host;
  const Signed made = make(host, &made_->authorities.at(authority), alternative);
  const Pair pair{directory_ + file + ".pem", directory_ + file + ".key"};
  check(PEM_write_X509(open(pair.certificate).get(), made.certificate.get()) == 1);
  check(PEM_write_PrivateKey(open(pair.key).get(), made.key.get(), nullptr, nullptr, 0, nullptr,
                             nullptr) == 1);
  return pair;
}

}  // namespace turnpike::net
