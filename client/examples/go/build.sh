#!/bin/sh
# Generates the stubs into ./clusterv1 and builds ./hello.
set -eu
cd "$(dirname "$0")"
GOBIN=$PWD/bin go install google.golang.org/protobuf/cmd/protoc-gen-go \
  google.golang.org/grpc/cmd/protoc-gen-go-grpc

set -- mimik/cluster/v1/resources.proto \
  mimik/cluster/v1/registry_service.proto \
  mimik/cluster/v1/fan_out_service.proto
mapping=
for proto; do
  mapping="$mapping,M$proto=hello/clusterv1"
done
protoc -I ../../../proto \
  --plugin=protoc-gen-go=bin/protoc-gen-go \
  --plugin=protoc-gen-go-grpc=bin/protoc-gen-go-grpc \
  --go_out=. --go_opt="module=hello$mapping" \
  --go-grpc_out=. --go-grpc_opt="module=hello$mapping" \
  "$@"
go build -o hello .
