# The image of holdfast: the program and the libraries it needs, nothing else.
#   docker build -t holdfast . && docker run -v holdfast:/var/lib/holdfast -v ./holdfast.json:/etc/holdfast/holdfast.json holdfast
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
COPY deploy/packages.sh /usr/local/sbin/packages.sh
RUN packages.sh build && apt-get install --yes --no-install-recommends libcmocka-dev
WORKDIR /src
COPY . .
RUN cmake --preset release && cmake --build --preset release && cmake --install build/release --prefix /usr/local --strip

FROM ${BASE}
RUN apt-get update \
	&& apt-get install --yes --no-install-recommends libsqlite3-0 librdkafka1 libjansson4 libsodium23 \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --user-group --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
	&& install --directory --owner holdfast --group holdfast /var/lib/holdfast
COPY --from=build /usr/local/bin/holdfast /usr/local/bin/holdfast
ENV HOLDFAST_STORE_PATH=/var/lib/holdfast
USER holdfast
VOLUME /var/lib/holdfast
EXPOSE 6566
HEALTHCHECK CMD ["holdfast", "status"]
ENTRYPOINT ["holdfast"]
CMD ["run"]
