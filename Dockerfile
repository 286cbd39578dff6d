# The service as a container: built with everything, shipped with what it needs to run, as a user without rights.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install scripts: nothing that runs here needs one.
RUN npm install --no-save --omit=optional --ignore-scripts
COPY tsconfig.json ./
COPY stack/compose/tsconfig.service.json stack/compose/
COPY src src
RUN node_modules/.bin/tsc -p stack/compose/tsconfig.service.json

FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Our own optional packages are the parts of the local stack. Those of lz4-napi and snappy are their native code: without it nothing starts.
RUN npm pkg delete optionalDependencies && npm install --no-save --omit=dev --ignore-scripts

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY connectors connectors
COPY migrations migrations
COPY page page
USER node
STOPSIGNAL SIGTERM
# Nothing is written to the file system: run it with --read-only --cap-drop ALL --security-opt no-new-privileges.
# /healthz says whether the process is alive, not whether Kafka and ClickHouse are: it waits for those itself.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=4 CMD ["node", "dist/src/cli/health.js"]
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["run"]
