// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"
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
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	app, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		t.Fatal(err)
	}
	h, said := app.(*App).handlers[0], 0
	for range 10_000 {
		if h.watcher.Logger.Check(zap.ErrorLevel, "the id in a request cannot name an object") != nil {
			said++
		}
	}
	if said < maxSaid || said > 10_000/10 {
		t.Errorf("said %d times", said)
	}
}
