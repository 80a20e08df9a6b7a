// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"strings"

	"go.uber.org/zap"
)

// engineLogger passes on what Badger logs. Messages about tables and
// compactions are for debugging.
type engineLogger struct {
	log *zap.SugaredLogger
}

func (l engineLogger) Errorf(format string, args ...any)   { l.log.Errorf(line(format), args...) }
func (l engineLogger) Warningf(format string, args ...any) { l.log.Warnf(line(format), args...) }
func (l engineLogger) Infof(format string, args ...any)    { l.log.Debugf(line(format), args...) }
func (l engineLogger) Debugf(string, ...any)               {}

func line(format string) string {
	return strings.TrimRight(format, "\n")
}
