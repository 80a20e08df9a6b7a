//go:build never

package webhooks

import (
	_ "code.dny.dev/ssrf"
	_ "github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/caddyserver/caddy/v2/caddytest"
	_ "github.com/dgraph-io/badger/v4"
	_ "github.com/jinzhu/inflection"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/spf13/cobra"
	_ "github.com/standard-webhooks/standard-webhooks/libraries/go"
	_ "github.com/tidwall/gjson"
	_ "go.uber.org/goleak"
	_ "go.uber.org/zap"
	_ "go.uber.org/zap/zaptest/observer"
	_ "github.com/stretchr/testify/require"
	_ "pgregory.net/rapid"
	_ "github.com/dustin/go-humanize"
	_ "golang.org/x/net/html"
	_ "golang.org/x/time/rate"
)
