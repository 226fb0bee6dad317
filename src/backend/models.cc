#include "backend/models.h"

#include <utility>

#include <absl/container/flat_hash_set.h>
#include <nlohmann/json.hpp>

namespace turnpike::backend {
namespace {

// Picks `data[].id` out of the events of the parser, without building a document.
class NamePicker {
 public:
  // nlohmann's interface of a receiver of events; false ends the parsing.
  using Json = nlohmann::json;
  bool null() { return value(); }
  bool boolean(bool) { return value(); }
  bool number_integer(Json::number_integer_t) { return value(); }
  bool number_unsigned(Json::number_unsigned_t) { return value(); }
  bool number_float(Json::number_float_t, const Json::string_t&) { return value(); }
  bool binary(Json::binary_t&) { return value(); }
  bool string(Json::string_t& text) {
    if (depth_ == kInModel && in_data_ && key_is_id_) take(std::move(text));
    return value();
  }
  bool key(Json::string_t& name) {
    if (depth_ == kInAnswer) key_is_data_ = name == "data";
    if (depth_ == kInModel) key_is_id_ = name == "id";
    return true;
  }
  bool start_object(std::size_t) {
    if (depth_ == 0) is_object_ = true;
    return open();
  }
  bool end_object() { return close(); }
  bool start_array(std::size_t) {
    if (depth_ == kInAnswer && is_object_ && key_is_data_) in_data_ = has_data_ = true;
    return open();
  }
  bool end_array() {
    if (depth_ == kInData) in_data_ = false;
    return close();
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }

  [[nodiscard]] bool has_data() const { return has_data_; }
  std::vector<std::string> take_names() { return std::move(names_); }

 private:
  static constexpr int kInAnswer = 1;
  static constexpr int kInData = 2;
  static constexpr int kInModel = 3;

  bool value() { return depth_ > 0; }  // a bare value is no answer
  bool open() {
    ++depth_;
    if (depth_ == kInModel) key_is_id_ = false;
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }
  void take(std::string&& name) {
    key_is_id_ = false;
    if (name.empty() || name.size() > kMaxModelName || names_.size() == kMaxModels) return;
    if (seen_.insert(name).second) names_.push_back(std::move(name));
  }

  int depth_ = 0;
  bool is_object_ = false;
  bool key_is_data_ = false;
  bool key_is_id_ = false;
  bool in_data_ = false;
  bool has_data_ = false;
  std::vector<std::string> names_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

Expected<std::vector<std::string>> parse_models(std::string_view json) {
  NamePicker picker;
  if (!nlohmann::json::sax_parse(json, &picker) || !picker.has_data()) {
    return fail("/v1/models did not answer with a list of models");
  }
  return picker.take_names();
}

}  // namespace turnpike::backend
