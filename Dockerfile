# Control plane image: built with the sources, run with the compiled output and production packages only.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm install --no-save --no-audit --no-fund --ignore-scripts
COPY . .
# Only the control plane is built here; it needs no Envoy.
RUN GATEHOUSE_ENVOY=none npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
WORKDIR /opt/gatehouse
ENV NODE_ENV=production
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/gen ./gen
COPY --from=build /src/dist ./dist
USER 65532:65532
EXPOSE 15012 15014
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "dist/cli/main.js"]
CMD ["serve", "--help"]
