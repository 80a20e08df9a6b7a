# Caddy with caddy-webhooks, from this checkout:
#
#   docker build -t caddy-webhooks .
#   docker run -p 80:80 -p 443:443 -p 443:443/udp \
#     -v ./Caddyfile:/etc/caddy/Caddyfile:ro -v caddy_data:/data -e WEBHOOK_SECRET caddy-webhooks
#
# The queue is in /data/caddy/webhooks, unless the Caddyfile says otherwise:
# keep /data in a volume, and one container per volume.

FROM caddy:2.11.9-builder AS builder
COPY . /src
# The version is a stand-in, for what is built is /src.
RUN xcaddy build v2.11.9 \
	--with github.com/caddy-webhooks/caddy-webhooks@v0.0.0=/src \
	--output /usr/bin/caddy

FROM caddy:2.11.9
COPY --from=builder /usr/bin/caddy /usr/bin/caddy
