// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/exchange"
)

// However many exchanges have the same trouble, it is said a few times a
// second, and what is said of something else is not lost.
func TestSparingLogger(t *testing.T) {
	core, logged := observer.New(zapcore.DebugLevel)
	log := sparing(zap.New(core))
	for range 10_000 {
		log.Error("noting an intent", zap.String("rule", "PATCH /items/:id"))
	}
	log.Error("something else")
	said := logged.FilterMessage("noting an intent").Len()
	// The seconds are those of the clock, and a slow machine may need some.
	if said < maxSaid || said > 10_000/10 {
		t.Errorf("said %d times", said)
	}
	if logged.FilterMessage("something else").Len() != 1 {
		t.Error("something else was not said")
	}
}

// What strangers' requests have a handler say is said sparingly, too.
func TestHandlerIsSparing(t *testing.T) {
	core, logged := observer.New(zapcore.DebugLevel)
	log := new(Handler).watchOptions(zap.New(core), exchange.Options{}).Logger
	for range 10_000 {
		log.Warn("the id in a request cannot name an object")
	}
	if said := logged.Len(); said < maxSaid || said > 10_000/10 {
		t.Errorf("said %d times", said)
	}
}
