// An operator's arguments as one struct, unpacked once. A call type lists its fields in the order of the
// schema; from that list come the function that the dispatcher calls, the call through the dispatcher, and
// what autograd keeps:
//
//   struct ScaleCall {
//     static constexpr const char* kOp = "scale";
//     using Result = at::Tensor;
//     at::Tensor x;
//     int64_t factor = 1;
//     auto fields() { return std::tie(x, factor); }
//   };
//   at::Tensor scale_cpu(const ScaleCall& call);
//   library.impl("scale", unpacked<scale_cpu>);
//   call_operator(ScaleCall{x, 2});
//
// A result may be a struct of tensors with fields() of its own; to the dispatcher it is a tuple.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace samebits::ops {

/// How the dispatcher passes a field, and how the field takes it. A type of its own, such as an enumeration,
/// adds a specialization beside its definition.
template <class Field>
struct Argument {
  using type = Field;
  static void take(const char* /*op*/, Field& field, Field value) { field = value; }
  static type give(const Field& field) { return field; }
};
template <>
struct Argument<at::Tensor> {
  using type = const at::Tensor&;
  static void take(const char* /*op*/, at::Tensor& field, const at::Tensor& value) { field = value; }
  static type give(const at::Tensor& field) { return field; }
};
template <>
struct Argument<std::optional<at::Tensor>> {
  using type = const std::optional<at::Tensor>&;
  static void take(const char* /*op*/, std::optional<at::Tensor>& field,
                   const std::optional<at::Tensor>& value) {
    if (value.has_value() && value->defined()) field = value;
  }
  static type give(const std::optional<at::Tensor>& field) { return field; }
};
template <>
struct Argument<std::int32_t> {
  using type = int64_t;
  static void take(const char* op, std::int32_t& field, int64_t value) {
    TORCH_CHECK(INT32_MIN <= value && value <= INT32_MAX, "[", op, "] expected integers of 32 bits, got ",
                value);
    field = static_cast<std::int32_t>(value);
  }
  static type give(std::int32_t field) { return field; }
};
/// Height and width.
template <>
struct Argument<std::array<int64_t, 2>> {
  using type = at::IntArrayRef;
  static void take(const char* op, std::array<int64_t, 2>& field, at::IntArrayRef value) {
    TORCH_CHECK(value.size() == 2, "[", op, "] expected 2 integers for height and width, got ", value);
    field = {value[0], value[1]};
  }
  static type give(const std::array<int64_t, 2>& field) { return field; }
};

/// A result as the dispatcher knows it.
template <class Result>
struct Returned {
  using type = Result;
  static type give(const Result& result) { return result; }
  static Result take(const type& value) { return value; }
};
template <class Result>
requires requires(Result result) {
  result.fields();
}
struct Returned<Result> {
  template <class... Fields>
  static std::tuple<std::remove_cvref_t<Fields>...> values_of(const std::tuple<Fields...>& fields) {
    return fields;
  }
  using type = decltype(values_of(std::declval<Result&>().fields()));
  static type give(Result result) { return values_of(result.fields()); }
  static Result take(const type& value) {
    Result result;
    result.fields() = value;
    return result;
  }
};

template <class Call, class Fields = decltype(std::declval<Call&>().fields())>
struct Unpacked;
template <class Call, class... Fields>
struct Unpacked<Call, std::tuple<Fields&...>> {
  using Result = typename Returned<typename Call::Result>::type;
  using Signature = Result(typename Argument<Fields>::type...);

  template <auto kernel>
  static Result run(typename Argument<Fields>::type... arguments) {
    Call call;
    std::apply([&](Fields&... fields) { (Argument<Fields>::take(Call::kOp, fields, arguments), ...); },
               call.fields());
    return Returned<typename Call::Result>::give(kernel(call));
  }

  static typename Call::Result dispatch(Call call) {
    static const auto op = c10::Dispatcher::singleton()
                               .findSchemaOrThrow(Call::kName, Call::kOverload)
                               .template typed<Signature>();
    return Returned<typename Call::Result>::take(std::apply(
        [&](Fields&... fields) { return op.call(Argument<Fields>::give(fields)...); }, call.fields()));
  }
};

template <class Function>
struct CallOf;
template <class Result, class Call>
struct CallOf<Result (*)(const Call&)> {
  using type = Call;
};

/// The function that the dispatcher calls for `kernel`, a function from a call to its result.
template <auto kernel>
constexpr auto* unpacked = &Unpacked<typename CallOf<decltype(kernel)>::type>::template run<kernel>;

/// Calls the operator "samebits::…" that `Call` names.
template <class Call>
typename Call::Result call_operator(const Call& call) {
  return Unpacked<Call>::dispatch(call);
}

/// Keeps a call for backward: tensors as saved variables, so that autograd frees them and sees whether they
/// were written to; the rest beside them.
template <class Call>
void save_call(torch::autograd::AutogradContext* context, Call call) {
  torch::autograd::variable_list tensors;
  c10::List<c10::IValue> others{c10::AnyType::get()};
  const auto save = [&]<class Field>(const Field& field) {
    if constexpr (std::is_same_v<Field, at::Tensor>) {
      tensors.push_back(field);
    } else if constexpr (std::is_same_v<Field, std::optional<at::Tensor>>) {
      tensors.push_back(field.value_or(at::Tensor()));
    } else if constexpr (std::is_same_v<Field, std::array<int64_t, 2>>) {
      others.push_back(c10::IValue(std::vector<int64_t>(field.begin(), field.end())));
    } else {
      others.push_back(c10::IValue(static_cast<int64_t>(field)));
    }
  };
  std::apply([&](auto&... fields) { (save(fields), ...); }, call.saved_fields());
  context->save_for_backward(std::move(tensors));
  context->saved_data["call"] = std::move(others);
}

/// What save_call() kept.
template <class Call>
Call saved_call(torch::autograd::AutogradContext* context) {
  Call call;
  const torch::autograd::variable_list tensors = context->get_saved_variables();
  const c10::List<c10::IValue> others = context->saved_data["call"].toList();
  std::size_t next_tensor = 0, next_other = 0;
  const auto load = [&]<class Field>(Field& field) {
    if constexpr (std::is_same_v<Field, at::Tensor>) {
      field = tensors[next_tensor++];
    } else if constexpr (std::is_same_v<Field, std::optional<at::Tensor>>) {
      if (const at::Tensor& tensor = tensors[next_tensor++]; tensor.defined()) field = tensor;
    } else if constexpr (std::is_same_v<Field, std::array<int64_t, 2>>) {
      const std::vector<int64_t> values = others.get(next_other++).toIntVector();
      field = {values[0], values[1]};
    } else {
      field = static_cast<Field>(others.get(next_other++).toInt());
    }
  };
  std::apply([&](auto&... fields) { (load(fields), ...); }, call.saved_fields());
  return call;
}

}  // namespace samebits::ops
