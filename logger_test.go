// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/internal/livelog"
)

// What strangers' requests have a handler say is said sparingly, too.
func TestHandlerIsSparing(t *testing.T) {
	core, logged := observer.New(zapcore.DebugLevel)
	log := new(Handler).watchOptions(zap.New(core), exchange.Options{}).Logger
	for range 10_000 {
		log.Warn("the id in a request cannot name an object")
	}
	if said := logged.Len(); said < livelog.MaxSaid || said > 10_000/10 {
		t.Errorf("said %d times", said)
	}
}
