# The image of Sallyport, for sidecar, injector, authority and the redirect of a pod's traffic. `npm run image` makes the same without Docker:
# what is in it stands in helm/image/contents.ts, and nowhere else.
FROM node:26.10.0-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends nftables && rm -rf /var/lib/apt/lists/*
WORKDIR /clone
COPY package.json package-lock.json .npmrc ./
COPY src/cli/link-pinned-node.js src/cli/pinned-node.js src/cli/
RUN npm ci
COPY . .
RUN npm run image -- --tree /image

FROM scratch
LABEL org.opencontainers.image.title="sallyport" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/system /
COPY --from=build /image/product /
ENV PATH=/usr/sbin:/usr/bin
USER 61337:61337
ENTRYPOINT ["/usr/bin/node", "/app/dist/cli/main.js"]
CMD ["--help"]
