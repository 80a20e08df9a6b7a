// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"
)

const (
	// logTimeout is how long Badger is made to wait for a log that cannot be
	// made. The API does not wait for it longer than for any slow disk.
	logTimeout = time.Second
	logEvery   = 10 * time.Millisecond
)

// nextLog makes the log that Badger is about to open, an empty file that Badger
// takes for a new one. Badger calls it between leaving a full log and opening the
// next, by way of its logger: there is no other way to hold it there. The first
// try nearly always succeeds: the spares have just been given up.
func (g *ground) nextLog() {
	left := spareCount / 2 // to sync it
	g.spares.give(left)
	deadline := time.Now().Add(logTimeout)
	for {
		err := g.makeLog()
		if err == nil {
			return
		}
		if errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			// Badger fails to make it, too, and the commit under way fails.
			g.log.Error("the queue cannot make its next log", zap.Error(err))
			return
		}
		left = max(0, left-1)
		g.spares.give(left)
		time.Sleep(logEvery)
	}
}

func (g *ground) makeLog() error {
	newest, err := newestLog(g.bound)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(logName(g.bound, newest+1), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
