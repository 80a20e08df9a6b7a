// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// backup makes a backup into a file.
func backup(t *testing.T, s *Store, since uint64) (name string, until uint64) {
	t.Helper()
	var b bytes.Buffer
	until, err := s.Backup(t.Context(), &b, since)
	must(t, err)
	name = filepath.Join(t.TempDir(), "backup")
	must(t, os.WriteFile(name, b.Bytes(), 0o600))
	return name, until
}

// identityless returns all that can be seen of a queue except its identity.
func identityless(t *testing.T, s *Store) string {
	t.Helper()
	_, rest, _ := strings.Cut(dump(t, s), "\n")
	return rest
}

// A full backup and incremental ones hold what the queue held then, also while
// it went on.
func TestBackupAndRestore(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	populate(t, s)
	full, until := backup(t, s, 0)
	afterFull := identityless(t, s)
	publish(t, s, "300", "erp")
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	second, until2 := backup(t, s, until)
	publish(t, s, "301", "erp")
	third, _ := backup(t, s, until2)
	afterThird := identityless(t, s)

	for _, test := range []struct {
		name    string
		backups []string
		want    string
		err     error
	}{
		{"full", []string{full}, afterFull, nil},
		{"incremental", []string{full, second, third}, afterThird, nil},
		{"incremental first", []string{second}, "", ErrBadBackup},
		{"one left out", []string{full, third}, "", ErrBadBackup},
		{"in the wrong order", []string{full, third, second}, "", ErrBadBackup},
	} {
		dir := filepath.Join(t.TempDir(), "queue")
		restored, err := Restore(t.Context(), dir, test.backups...)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.err != nil {
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) > 0 {
				t.Errorf("%s: %v is left, %v", test.name, entries, err)
			}
			continue
		}
		again := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
		if got := identityless(t, again); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
		if again.Instance().ID == s.Instance().ID || again.Instance().HashKey != s.Instance().HashKey {
			t.Errorf("%s: the identity is not new, or the hashes are", test.name)
		}
		if restored.Rows == 0 || !again.WasRestored() {
			t.Errorf("%s: %+v, and it is not known to be restored", test.name, restored)
		}
		must(t, again.ForgetRestored())
		if again.WasRestored() {
			t.Errorf("%s: it is still known to be restored", test.name)
		}
		must(t, again.Close())
		if _, err := Restore(t.Context(), dir, full); err == nil || !strings.Contains(err.Error(), "there is a queue") {
			t.Errorf("%s: a queue is overwritten: %v", test.name, err)
		}
	}
}

// A delivery that was decided after the backup before, and whose lane Badger
// has forgotten, is not pending again.
func TestRestoreDropsDecidedLanes(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publish(t, s, "1", "erp")
	full, until := backup(t, s, 0)
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	must(t, s.db.Flatten(1)) // forgets deletes
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	must(t, s.db.Flatten(1))
	second, _ := backup(t, s, until)
	to := filepath.Join(t.TempDir(), "queue")
	_, err := Restore(t.Context(), to, full, second)
	must(t, err)
	again := mustOpen(t, Options{Dir: to, FreeSpace: noReserve})
	if stats, err := again.Stats(t.Context()); err != nil || stats.PendingDeliveries["erp"] != 0 {
		t.Errorf("got %+v, %v", stats, err)
	}
}

// A backup that is cut or changed anywhere is not restored.
func TestDamagedBackup(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	populate(t, s)
	full, _ := backup(t, s, 0)
	content, err := os.ReadFile(full)
	must(t, err)
	visit := func(content []byte) error {
		_, err := readBackup(bytes.NewReader(content), func(BackupHeader) error { return nil }, func(row) error { return nil })
		return err
	}
	must(t, visit(content))
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		changed := bytes.Clone(content)
		at := random.IntN(len(changed))
		changed[at] ^= byte(1 + random.IntN(255))
		if visit(changed) == nil {
			t.Errorf("byte %d is changed, and nobody sees it", at)
		}
		if visit(content[:at]) == nil {
			t.Errorf("the first %d of %d bytes are a whole backup", at, len(content))
		}
	}
	newer := bytes.Clone(content)
	newer[len(backupMagic)] = 9
	if err := visit(newer); !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("a newer backup: %v", err)
	}
}

func TestBackupEnds(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	populate(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Backup(ctx, new(bytes.Buffer), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s.Close())
	if _, err := s.Backup(t.Context(), new(bytes.Buffer), 0); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func FuzzReadBackup(f *testing.F) {
	f.Add([]byte(backupMagic))
	f.Add([]byte(backupMagic + "\x01H\x00\x00\x00\x02{}"))
	f.Fuzz(func(_ *testing.T, content []byte) {
		_, _ = readBackup(bytes.NewReader(content), func(BackupHeader) error { return nil }, func(row) error { return nil })
	})
}

// The readable rows of a damaged queue make a queue that works.
func TestSalvage(t *testing.T) {
	for _, in := range installations(t) {
		for seed := range uint64(6) {
			random := rand.New(rand.NewPCG(seed, 7))
			files := make(map[string][]byte, len(in.files))
			for name, content := range in.files {
				files[name] = content
			}
			place := "nothing"
			if seed > 0 {
				place = damageSome(random, files, []string{".sst", ".mem", "MANIFEST"}[seed%3])
			}
			if place == "" {
				continue
			}
			dir := filepath.Join(t.TempDir(), "queue")
			restored, err := Salvage(t.Context(), store(t, files), dir)
			if err != nil {
				t.Errorf("%s, %s: %v", in.name, place, err)
				continue
			}
			s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
			got := identityless(t, s)
			if _, want, _ := strings.Cut(in.want, "\n"); place == "nothing" && got != want {
				t.Errorf("%s, not damaged: got\n%s\nwant\n%s", in.name, got, want)
			}
			if !s.WasRestored() {
				t.Errorf("%s, %s: it is not known to be restored", in.name, place)
			}
			publish(t, s, "new", "erp")
			must(t, s.Close())
			t.Logf("%s, %s: %d rows, %d findings", in.name, place, restored.Rows, len(restored.Findings))
		}
	}
	if _, err := Salvage(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "queue")); err == nil {
		t.Error("nothing can be salvaged")
	}
}

// Behind a hole in a log, whole transactions are found again.
func TestSalvageBehindAHole(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	for i := range 9 {
		markItem(t, s, fmt.Sprint(i))
	}
	files := load(t, image(t, dir))
	for name, log := range files {
		if strings.HasSuffix(name, ".mem") {
			at := bytes.Index(log, []byte("items4"))
			if at < 0 {
				t.Fatal("the mark is not in the log")
			}
			log[at] ^= 1
		}
	}
	to := filepath.Join(t.TempDir(), "queue")
	_, err := Salvage(t.Context(), store(t, files), to)
	must(t, err)
	again := mustOpen(t, Options{Dir: to, FreeSpace: noReserve})
	if stats, err := again.Stats(t.Context()); err != nil || stats.Marks != 8 {
		t.Errorf("got %+v, %v; want 8 of 9 marks", stats, err)
	}
}
