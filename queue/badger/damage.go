// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/disk"
)

// reportFile says why a queue was set aside. While there is a report and no
// queue, no queue is made: an empty one would hide what is missing.
const reportFile = "damaged.json"

// DamageReport says what is wrong with a queue, and where it is kept.
type DamageReport struct {
	// At is when it was set aside.
	At time.Time `json:"at"`
	// Reason says why, in words.
	Reason string `json:"reason"`
	// Kept is the directory that holds its files, unchanged.
	Kept string `json:"kept"`
	// Findings are what is wrong, at most a hundred.
	Findings []Finding `json:"findings,omitempty"`
}

// maxFindings is how many findings a report has at most.
const maxFindings = 100

// DamageError is returned on opening a queue that is damaged, and was set
// aside. It wraps [ErrDamaged].
type DamageError struct {
	Dir    string
	Report DamageReport
}

// Error says what to do.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%v: %s; its files are kept in %s; see docs/operations.md, or run `caddy webhooks queue verify --dir %s`, "+
		"and then `caddy webhooks queue restore --dir %s` with a backup, or with --salvage for what can be read of it",
		ErrDamaged, e.Report.Reason, e.Report.Kept, e.Report.Kept, e.Dir)
}

// Unwrap returns ErrDamaged.
func (e *DamageError) Unwrap() error { return ErrDamaged }

// ReadReport returns the report of a queue that was set aside, nil if there
// is none.
func ReadReport(dir string) (*DamageReport, error) {
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	report := new(DamageReport)
	if err := json.Unmarshal(text, report); err != nil {
		// That there is a report is enough.
		report = &DamageReport{Reason: "the report of the damage is damaged, too", Kept: dir}
	}
	return report, nil
}

// stays are the files of a queue's directory that do not belong to the
// database, and stay when it is set aside.
var stays = []string{reportFile, reserveFile, openingFile, queue.GapsFile, queue.JournalFile, queue.KeyFile, lockFile, penFile}

// setAside moves the files of a queue into a directory beside them. Nobody may
// have it open.
func setAside(dir string, now time.Time, reason string, findings []Finding) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	kept := filepath.Join(dir, asidePrefix+now.UTC().Format("20060102T150405.000Z"))
	if err := os.Mkdir(kept, 0o700); err != nil {
		return fmt.Errorf("setting the queue aside: %w", err)
	}
	report := DamageReport{At: now.UTC(), Reason: reason, Kept: kept, Findings: findings[:min(len(findings), maxFindings)]}
	// The report comes first: a crash in the middle must not let the next
	// start make an empty queue.
	if err := writeFile(dir, reportFile, report); err != nil {
		return fmt.Errorf("setting the queue aside: %w", err)
	}
	// The manifest goes first: what is left without it is damage, too.
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || slices.Contains(stays, name) {
			continue
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(kept, name)); err != nil {
			return fmt.Errorf("setting the queue aside: %w", err)
		}
	}
	return &DamageError{Dir: dir, Report: report}
}

// asidePrefix begins the name of a directory that a queue was moved into.
const asidePrefix = "set-aside-"

// SetAside returns the directories in which queues that were damaged are kept,
// oldest first.
func SetAside(dir string) ([]string, error) {
	kept, err := logFiles(dir, asidePrefix+"*")
	return kept, err
}

// writeFile writes a file as a whole or not at all.
func writeFile(dir, name string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	temporary := filepath.Join(dir, name+".new")
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}
