#include "server/rpc/json_value.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace coord {
namespace {

using google::protobuf::Value;
using testing::HasSubstr;

Value Number(double number) {
  Value value;
  value.set_number_value(number);
  return value;
}

Value Nested(int depth) {
  Value value;
  Value* inner = &value;
  for (int i = 1; i < depth; ++i) {
    inner = inner->mutable_list_value()->add_values();
  }
  inner->set_bool_value(true);
  return value;
}

std::string Json(const Value& value) {
  const auto json = JsonFromValue(value);
  return json.ok() ? *json : std::string(json.status().message());
}

TEST(JsonFromValueTest, WritesEveryKind) {
  Value value;
  auto& fields = *value.mutable_struct_value()->mutable_fields();
  fields["null"].set_null_value(google::protobuf::NULL_VALUE);
  fields["yes"].set_bool_value(true);
  fields["text"].set_string_value("a\"\n\xc3\xa4");
  *fields["list"].mutable_list_value()->add_values() = Number(1);
  *fields["list"].mutable_list_value()->add_values() = Number(-0.5);
  EXPECT_EQ(Json(value), R"({"list":[1,-0.5],"null":null,"text":"a\"\n)"
                         "\xc3\xa4"
                         R"(","yes":true})");
}

TEST(JsonFromValueTest, WholeNumbersHaveNoFraction) {
  EXPECT_EQ(Json(Number(100000)), "100000");
  EXPECT_EQ(Json(Number(-9007199254740992)), "-9007199254740992");
  EXPECT_EQ(Json(Number(1e300)), "1e+300");
  EXPECT_EQ(Json(Number(52.52)), "52.52");
}

TEST(JsonFromValueTest, NumbersThatAreNotFiniteAreRefused) {
  for (const double number :
       {std::nan(""), -std::nan(""), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(Json(Number(number)), "must contain only finite numbers");
  }
}

TEST(JsonFromValueTest, AValueOfNoKindIsRefused) {
  EXPECT_EQ(Json(Value()), "must not contain a value of no kind");
}

TEST(JsonFromValueTest, DepthIsLimited) {
  EXPECT_TRUE(JsonFromValue(Nested(32)).ok());
  EXPECT_EQ(Json(Nested(33)), "must not be nested deeper than 32");
}

TEST(JsonFromValueTest, LengthIsLimited) {
  Value value;
  value.set_string_value(std::string(4094, 'x'));
  EXPECT_EQ(Json(value).size(), 4096u);
  value.set_string_value(std::string(4095, 'x'));
  EXPECT_EQ(Json(value), "must be at most 4096 bytes as JSON text");
  value.Clear();
  for (int i = 0; i < 100'000; ++i) {
    *value.mutable_list_value()->add_values() = Number(1);
  }
  EXPECT_EQ(Json(value), "must be at most 4096 bytes as JSON text");
}

TEST(ValueFromJsonTest, ReadsBackWhatWasWritten) {
  for (const std::string json :
       {"null", "true", "[1,2.5,\"x\",{}]",
        "{\"city\":\"Berlin\",\"geo\":{\"lat\":52.52,\"lon\":13.4}}"}) {
    Value value;
    ValueFromJson(json, &value);
    EXPECT_EQ(Json(value), json);
  }
}

TEST(ValueFromJsonTest, WhatIsNoJsonIsNull) {
  const std::string deep(40, '[');
  for (const std::string& json :
       {std::string(), std::string("{"), std::string("nul"),
        std::string("\"\xff\""), deep + std::string(40, ']')}) {
    Value value;
    ValueFromJson(json, &value);
    EXPECT_EQ(value.kind_case(), Value::kNullValue) << json;
  }
}

}  // namespace
}  // namespace coord
