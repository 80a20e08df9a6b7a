// SPDX-License-Identifier: Apache-2.0

package livelog

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// However many exchanges have the same trouble, it is said a few times a
// second, and what is said of something else is not lost.
func TestSparingLogger(t *testing.T) {
	core, logged := observer.New(zapcore.DebugLevel)
	log := Sparing(zap.New(core))
	for range 10_000 {
		log.Error("noting an intent", zap.String("rule", "PATCH /items/:id"))
	}
	log.Error("something else")
	said := logged.FilterMessage("noting an intent").Len()
	// The seconds are those of the clock, and a slow machine may need some.
	if said < MaxSaid || said > 10_000/10 {
		t.Errorf("said %d times", said)
	}
	if logged.FilterMessage("something else").Len() != 1 {
		t.Error("something else was not said")
	}
}
