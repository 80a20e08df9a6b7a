// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"strings"

	"go.uber.org/zap"
)

// engineLogger passes on what Badger logs. Messages about tables and
// compactions are for debugging.
type engineLogger struct {
	log *zap.SugaredLogger
	// ground, if not nil, is told what Badger is about to do, and what it fails
	// to do by itself.
	ground *ground
}

// What Badger says when it is about to make a log, and when its goroutines have
// failed to write and will try again. TestNextLog and TestStruggle hold on to
// these words.
const (
	saysNextLog  = "Flushing memtable, mt.size="
	saysNoTable  = "error flushing memtable to disk"
	saysNoMerger = "While running doCompact"
)

func (l engineLogger) Errorf(format string, args ...any) {
	if text := l.text(format, args); !l.struggles(format, text) {
		l.log.Error(text)
	}
}

func (l engineLogger) Warningf(format string, args ...any) {
	if text := l.text(format, args); !l.struggles(format, text) {
		l.log.Warn(text)
	}
}

func (l engineLogger) Infof(format string, args ...any) { l.log.Debugf(line(format), args...) }

// Debugf logs nothing.
func (l engineLogger) Debugf(format string, _ ...any) {
	if l.ground != nil && strings.HasPrefix(format, saysNextLog) {
		l.ground.nextLog()
	}
}

// struggles notes what Badger fails to write, and reports whether that has just
// been logged.
func (l engineLogger) struggles(format, text string) (logged bool) {
	if l.ground == nil || !strings.HasPrefix(format, saysNoTable) && !strings.HasPrefix(format, saysNoMerger) {
		return false
	}
	return !l.ground.struggle(text)
}

// text names the directory as the operator does.
func (l engineLogger) text(format string, args []any) string {
	text := fmt.Sprintf(line(format), args...)
	if l.ground != nil {
		text = strings.ReplaceAll(text, l.ground.bound, l.ground.dir)
	}
	return text
}

func line(format string) string {
	return strings.TrimRight(format, "\n")
}

// firstLine returns the first line of a panic's value.
func firstLine(r any) string {
	text, _, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(r)), "\n")
	return text
}
