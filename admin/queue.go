// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
)

// QueueStatus is the answer to GET /webhooks/queue.
type QueueStatus struct {
	// Open is false while the API goes on without the queue. Problem says why,
	// and Since since when.
	Open    bool      `json:"open"`
	Problem string    `json:"problem,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Closing is true while a queue that is not open any more still writes to its
	// disk.
	Closing bool `json:"closing,omitempty"`
	// Dir is the queue's directory.
	Dir string `json:"dir"`
	// Space is `enough`, `low` or `critical`; the others are in bytes.
	Space         string `json:"space,omitempty"`
	FreeBytes     uint64 `json:"free_bytes,omitempty"`
	LowBytes      uint64 `json:"low_bytes,omitempty"`
	CriticalBytes uint64 `json:"critical_bytes,omitempty"`
	// TableBytes, LogBytes and OtherBytes are the size of the queue on disk.
	TableBytes int64 `json:"table_bytes"`
	LogBytes   int64 `json:"log_bytes"`
	OtherBytes int64 `json:"other_bytes"`
	// Counts counts what is in the queue.
	Counts *queue.Stats `json:"counts,omitempty"`
	// DamagedRecords counts records that could not be used since the queue was
	// opened.
	DamagedRecords uint64 `json:"damaged_records"`
	// LostBatches counts acknowledged batches that a power cut took, with
	// `durability process`.
	LostBatches uint64 `json:"lost_batches"`
	// Interim counts exchanges that passed while the queue was being opened, and
	// are not in it yet.
	Interim int `json:"interim"`
	// Gaps are resources whose changes passed without the queue.
	Gaps []intake.Gap `json:"gaps"`
	// SetAside are the directories that damaged queues were moved to.
	SetAside []string `json:"set_aside"`
}

// queue answers how the queue as a whole is, also while it is not open.
func (s *Server) queue(w http.ResponseWriter, r *http.Request) error {
	files := queue.FilerOf(s.Pipeline.Engine())
	status := QueueStatus{
		Dir: s.Pipeline.Engine().Dir(), Gaps: s.gaps(), Interim: s.Pipeline.Intake.Waiting(), SetAside: []string{},
	}
	status.TableBytes, status.LogBytes, status.OtherBytes = files.DiskUsage()
	if kept, err := files.SetAside(); err == nil && kept != nil {
		status.SetAside = kept
	}
	store := s.Pipeline.Queue()
	if store == nil {
		if since, reason := s.Pipeline.NotOpen(); reason != nil {
			status.Problem, status.Since, status.Closing = reason.Error(), since, s.Pipeline.Closing()
		}
		return writeJSON(w, http.StatusOK, status)
	}
	status.Open = true
	free, space := queue.SpacerOf(store).FreeSpace()
	status.Space, status.FreeBytes, status.LowBytes, status.CriticalBytes = queue.LevelOf(store).String(), free, space.Low, space.Critical
	recovered := queue.RecovererOf(store)
	status.DamagedRecords, status.LostBatches = recovered.Damaged(), recovered.Lost()
	if counts, err := store.Stats(r.Context()); err == nil {
		status.Counts = &counts
	}
	return writeJSON(w, http.StatusOK, status)
}

// backup answers with a backup of what has changed since a version. One that
// breaks off is known by its missing end.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseValues(r, []string{"since"})
	if err != nil {
		return err
	}
	since := uint64(0)
	if text := values.Get("since"); text != "" {
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return refuse(http.StatusBadRequest, "since is the number that the backup before ends with, not %q", text)
		}
	}
	source, ok := store.(queue.Backuper)
	if !ok {
		return refuse(http.StatusNotFound, "this engine makes no backups here; use the tools of its database")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := source.Backup(r.Context(), w, since); err != nil {
		s.Log.Error("making a backup", zap.Error(err))
		// The status was sent; only breaking off shows that it failed.
		panic(http.ErrAbortHandler)
	}
	return nil
}
