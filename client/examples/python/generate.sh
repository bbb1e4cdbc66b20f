#!/bin/sh
# Generates the stubs that hello.py imports into ./stubs.
set -eu
cd "$(dirname "$0")"
protos=../../../proto
mkdir -p stubs
protoc -I "$protos" --python_out=stubs --grpc_out=stubs \
  --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  "$protos"/mimik/cluster/v1/resources.proto \
  "$protos"/mimik/cluster/v1/registry_service.proto \
  "$protos"/mimik/cluster/v1/fan_out_service.proto
