# The service, and without a GPU the encoder and the worker: docker build -t onepeace . && docker run -p 8080:8080 … onepeace
# Runs as a user without rights on a file system that may be read-only, but for /data (and /tmp); as a Lambda function as it is.
FROM node:22-bookworm-slim AS build
WORKDIR /opt/onepeace
COPY package.json package-lock.json .npmrc ./
COPY sdk/typescript/package.json sdk/typescript/
# All that is compiled comes in the packages; nothing is fetched from elsewhere.
RUN npm ci --ignore-scripts
COPY . .
# Half of what is installed is never loaded: what LanceDB could embed with by itself, and onnxruntime for other systems.
RUN npm run build && npm prune --omit=dev --ignore-scripts \
  && rm -rf node_modules/@huggingface node_modules/onnxruntime-web \
    node_modules/onnxruntime-node/bin/napi-v6/darwin node_modules/onnxruntime-node/bin/napi-v6/win32

FROM node:22-bookworm-slim
LABEL org.opencontainers.image.title="onepeace" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production ONEPEACE_HOST=0.0.0.0 ONEPEACE_DATA=/data
WORKDIR /opt/onepeace
COPY --from=build /opt/onepeace ./
RUN install -d -o node -g node /data
USER 1000:1000
VOLUME /data
EXPOSE 8080 8081
# A worker listens nowhere; its orchestrator turns this off, or asks something else.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/opt/onepeace/bin/onepeace.js"]
CMD ["serve"]
