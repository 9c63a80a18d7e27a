# Weir’s image: all programs, for `helm/weir`. Any Debian with Node, npm and libatomic1 builds it; name yours by digest:
#
#   docker build --build-arg BUILD_IMAGE=node:26-bookworm@sha256:… -t registry.example.com/weir:0.1.0 .
ARG BUILD_IMAGE=node:26-bookworm

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
COPY scripts/ensure-installed.mjs scripts/
RUN node scripts/ensure-installed.mjs
COPY . .
RUN npm run build && bash scripts/image-root.sh dist /root-of-image

# Nothing but what runs: no shell, no package manager.
FROM scratch
COPY --from=build /root-of-image /
USER 65532:65532
WORKDIR /weir
ENV NODE_ENV=production
ENTRYPOINT ["/usr/bin/node"]
CMD ["bin/weir"]
