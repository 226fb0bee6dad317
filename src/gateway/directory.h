#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/board.h"
#include "base/ids.h"
#include "net/address.h"
#include "net/tls_context.h"
#include "openai/model_routes.h"

namespace turnpike::gateway {

// What a worker must know of an endpoint to talk to it.
struct EndpointEntry {
  EndpointId id;
  std::string name;
  std::string authority;  // for the Host field
  std::string path;       // put before every target
  std::string api_key;    // sent as Authorization in place of the client's; empty: none
  net::Address address;
  std::shared_ptr<const net::TlsContext> tls;  // null: plain
  std::string server_name;                     // whose certificate is expected
};

// Names and addresses, immutable: workers hold one while they need it.
struct Directory {
  std::vector<std::shared_ptr<const EndpointEntry>> endpoints;  // by EndpointId; null: gone
  // Every name a client may use, to its id. Ids are never reused.
  absl::flat_hash_map<std::string, ModelId> models;
  // Those together with labels that a request can ask for; see gateway/labels.h.
  absl::flat_hash_map<std::string, ModelId> labelled;
  absl::flat_hash_set<ModelId> adapters;  // those that an endpoint loads beside others
  std::vector<std::string> model_names;   // by ModelId, without labels
  std::vector<std::string> served;        // names that some healthy endpoint serves now, sorted
  bool models_known = false;              // some endpoint has said what it serves

  [[nodiscard]] std::shared_ptr<const EndpointEntry> endpoint(EndpointId id) const {
    return id.value() < endpoints.size() ? endpoints[id.value()] : nullptr;
  }
};

// The names that a client may ask for now: those that are served, and those that lead to one of them. Sorted.
std::vector<std::string> known_models(const Directory& directory,
                                      const openai::ModelRoutes& routes);
// The body of GET /v1/models, or of /v1/models/{wanted}; none if there is no such model.
std::optional<std::string> models_body(const Directory& directory,
                                       const openai::ModelRoutes& routes, std::string_view wanted);

using DirectoryBoard = Board<Directory>;

}  // namespace turnpike::gateway
