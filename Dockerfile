# The image of holdfast: the program and the libraries it needs, nothing else.
#   docker build -t holdfast .
#   docker run -p 127.0.0.1:6566:6566 -v holdfast:/var/lib/holdfast -v ./holdfast.json:/etc/holdfast/holdfast.json holdfast
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
COPY deploy/packages.sh /usr/local/sbin/packages.sh
RUN packages.sh build && apt-get install --yes --no-install-recommends libcmocka-dev
WORKDIR /src
COPY . .
RUN cmake --preset release && cmake --build --preset release && cmake --install build/release --prefix /usr/local --strip

FROM ${BASE}
RUN apt-get update \
	&& apt-get install --yes --no-install-recommends libsqlite3-0 librdkafka1 libjansson4 libmicrohttpd12t64 libsodium23 \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --user-group --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
	&& install --directory --owner holdfast --group holdfast /var/lib/holdfast
COPY --from=build /usr/local/bin/holdfast /usr/local/bin/holdfast
# Within the container, so that a published port reaches it: who may ask is decided by what is published.
ENV HOLDFAST_STORE_PATH=/var/lib/holdfast HOLDFAST_SERVE_ADDRESS=0.0.0.0
USER holdfast
VOLUME /var/lib/holdfast
EXPOSE 6566
# Can lookups be answered? bash alone can ask. Of a container that runs `ingest`, `holdfast status` is a better check.
HEALTHCHECK --start-period=30s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${HOLDFAST_SERVE_PORT:-6566} && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && test $status = 200"]
ENTRYPOINT ["holdfast"]
CMD ["run"]
