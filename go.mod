module github.com/caddy-webhooks/caddy-webhooks

go 1.26.0
