#pragma once

#include <memory>
#include <string>

namespace turnpike::net {

// Certificates made for a test, as PEM files in a directory of its own that goes with this.
class TestCertificates {
 public:
  TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;
  ~TestCertificates();

  // An authority that signs itself; the path of its certificate.
  std::string authority(const std::string& name);
  struct Pair {
    std::string certificate;
    std::string key;
  };
  // A certificate of that authority for a host name ("localhost") or an address ("IP:127.0.0.1"). Overwrites one of the same file.
  Pair issue(const std::string& authority, const std::string& file, const std::string& host);

 private:
  struct Made;
  std::unique_ptr<Made> made_;
  std::string directory_;
};

}  // namespace turnpike::net
