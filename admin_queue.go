// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// QueueStatus is what GET /webhooks/queue answers.
type QueueStatus struct {
	// Open is false while the API goes on without the queue; Problem says why,
	// since when Since.
	Open    bool      `json:"open"`
	Problem string    `json:"problem,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Dir is the queue's directory.
	Dir string `json:"dir"`
	// Space is `enough`, `low` or `critical`; the others are in bytes.
	Space         string `json:"space,omitempty"`
	FreeBytes     uint64 `json:"free_bytes,omitempty"`
	LowBytes      uint64 `json:"low_bytes,omitempty"`
	CriticalBytes uint64 `json:"critical_bytes,omitempty"`
	// TableBytes, LogBytes and OtherBytes are what the queue takes of the
	// disk.
	TableBytes int64 `json:"table_bytes"`
	LogBytes   int64 `json:"log_bytes"`
	OtherBytes int64 `json:"other_bytes"`
	// Counts says what is in the queue.
	Counts *queue.Stats `json:"counts,omitempty"`
	// DamagedRecords counts records that could not be used since the queue was
	// opened.
	DamagedRecords uint64 `json:"damaged_records"`
	// LostBatches counts acknowledged batches that a power cut took, with
	// `durability process`.
	LostBatches uint64 `json:"lost_batches"`
	// Interim counts exchanges that have passed while the queue was being opened,
	// and are not in it yet.
	Interim int `json:"interim"`
	// Gaps are resources of which something passed without the queue.
	Gaps []gap `json:"gaps"`
	// SetAside are the directories of queues that were damaged.
	SetAside []string `json:"set_aside"`
}

// queue answers what concerns the queue as a whole.
func (a adminAPI) queue(w http.ResponseWriter, r *http.Request, e *engine, part string) error {
	switch part {
	case "":
		return writeJSON(w, http.StatusOK, e.status(r))
	case "backup":
		return a.backup(w, r, e)
	}
	return refuse(http.StatusNotFound, fmt.Errorf("there is no view queue/%s; there are queue and queue/backup", part))
}

func (e *engine) status(r *http.Request) QueueStatus {
	status := QueueStatus{Dir: e.dir, Gaps: e.gaps.list(), SetAside: []string{}}
	if status.Gaps == nil {
		status.Gaps = []gap{}
	}
	if interim := e.interim.Load(); interim != nil {
		status.Interim = interim.Waiting()
	}
	status.TableBytes, status.LogBytes, status.OtherBytes = badger.DiskUsage(e.dir)
	if kept, err := badger.SetAside(e.dir); err == nil && kept != nil {
		status.SetAside = kept
	}
	store := e.store.Load()
	if store == nil {
		if trouble := e.passing(); trouble != nil {
			status.Problem, status.Since = trouble.err.Error(), trouble.since
		}
		return status
	}
	status.Open = true
	free, space := store.FreeSpace()
	status.Space, status.FreeBytes, status.LowBytes, status.CriticalBytes = store.Level().String(), free, space.Low, space.Critical
	status.DamagedRecords, status.LostBatches = store.Damaged(), store.Lost()
	if counts, err := store.Stats(r.Context()); err == nil {
		status.Counts = &counts
	}
	return status
}

// backup answers with a backup of what has changed since a version. A backup
// that breaks off lacks its end, by which it is known.
func (adminAPI) backup(w http.ResponseWriter, r *http.Request, e *engine) error {
	since := uint64(0)
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return refuse(http.StatusBadRequest, fmt.Errorf("since is the number that the backup before ends with, not %q", text))
		}
	}
	store := e.store.Load()
	if store == nil {
		return refuse(http.StatusServiceUnavailable, errors.New("the queue is not open"))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := store.Backup(r.Context(), w, since); err != nil {
		e.log.Error("making a backup", zap.Error(err))
		// The status was sent; only breaking off tells that it failed.
		panic(http.ErrAbortHandler)
	}
	return nil
}
