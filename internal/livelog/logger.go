// SPDX-License-Identifier: Apache-2.0

// Package livelog makes loggers for what outlives a configuration, and for what
// strangers can cause.
package livelog

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
)

// New returns a logger for what outlives a configuration. The writers
// of a configuration's own loggers are closed when it is replaced, so this one
// looks up the current default logger for every entry.
func New(name string) *zap.Logger {
	return zap.New(liveCore{}).Named("webhooks").Named(name)
}

// MaxSaid is how many entries with the same words are logged in a second.
const MaxSaid = 10

// Sparing limits how often a logger says the same. Messages about each exchange
// would otherwise fill a log as fast as strangers send requests, most of all while
// the disk is in trouble. Metrics count all of them.
func Sparing(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, MaxSaid, 0)
	}))
}

// liveCore hands entries to the current default logger.
type liveCore struct {
	fields []zapcore.Field
}

// Enabled implements zapcore.LevelEnabler.
func (liveCore) Enabled(level zapcore.Level) bool {
	return caddy.Log().Core().Enabled(level)
}

// With implements zapcore.Core.
func (c liveCore) With(fields []zapcore.Field) zapcore.Core {
	return liveCore{fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check implements zapcore.Core.
func (c liveCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c liveCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	core := caddy.Log().Core()
	if len(c.fields) > 0 {
		core = core.With(c.fields)
	}
	if checked := core.Check(entry, nil); checked != nil {
		checked.Write(fields...)
	}
	return nil
}

// Sync implements zapcore.Core.
func (liveCore) Sync() error {
	return caddy.Log().Core().Sync()
}
