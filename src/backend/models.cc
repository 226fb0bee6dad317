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
    if (depth_ != kInModel || !in_data_) return value();
    if (key_is_parent_) {
      is_adapter_ = !text.empty();
    } else if (key_is_id_) {
      name_ = std::move(text);
    }
    return value();
  }
  bool key(Json::string_t& name) {
    if (depth_ == kInAnswer) key_is_data_ = name == "data";
    if (depth_ == kInModel) {
      key_is_id_ = name == "id" && name_.empty();
      key_is_parent_ = name == "parent";
    }
    return true;
  }
  bool start_object(std::size_t) {
    if (depth_ == 0) is_object_ = true;
    return open();
  }
  bool end_object() {
    if (depth_ == kInModel && in_data_) take();
    return close();
  }
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
  ServedModels take_models() { return std::move(models_); }

 private:
  static constexpr int kInAnswer = 1;
  static constexpr int kInData = 2;
  static constexpr int kInModel = 3;

  bool value() { return depth_ > 0; }  // a bare value is no answer
  bool open() {
    ++depth_;
    if (depth_ == kInModel) {
      key_is_id_ = key_is_parent_ = is_adapter_ = false;
      name_.clear();
    }
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }
  void take() {
    if (name_.empty() || name_.size() > kMaxModelName || models_.names.size() == kMaxModels) return;
    if (!seen_.insert(name_).second) return;
    if (is_adapter_) models_.adapters.push_back(name_);
    models_.names.push_back(std::move(name_));
    name_.clear();
  }

  int depth_ = 0;
  bool is_object_ = false;
  bool key_is_data_ = false;
  bool key_is_id_ = false;
  bool key_is_parent_ = false;
  bool is_adapter_ = false;  // the model that is being read
  std::string name_;
  bool in_data_ = false;
  bool has_data_ = false;
  ServedModels models_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

Expected<ServedModels> parse_models(std::string_view json) {
  NamePicker picker;
  if (!nlohmann::json::sax_parse(json, &picker) || !picker.has_data()) {
    return fail("/v1/models did not answer with a list of models");
  }
  return picker.take_models();
}

}  // namespace turnpike::backend
