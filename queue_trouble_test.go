// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// disk is a volume whose free space the test decides.
func disk(t *testing.T) *atomic.Uint64 {
	t.Helper()
	free := new(atomic.Uint64)
	free.Store(64 << 30)
	before := freeSpaceOf
	freeSpaceOf = func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }
	t.Cleanup(func() { freeSpaceOf = before })
	return free
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); ; {
		if condition() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, testTimeout)
		}
		time.Sleep(5 * time.Millisecond) // the state of another goroutine is asked for
	}
}

// health returns what the health check says.
func (s *stage) health() (status int, problems string) {
	s.t.Helper()
	status, answer := s.get("/webhooks/health")
	return status, fmt.Sprint(answer["problems"])
}

// A full disk closes the queue, and the API does not notice. When there is
// room again, all that changed meanwhile is told.
func TestFullDisk(t *testing.T) {
	s := newStage(t)
	free := disk(t)
	s.mustLoad(s.config("free_space 1GiB 512MiB 1MiB", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")

	eventually(t, "the delivery is recorded", func() bool {
		stats, err := running(t).Queue().Stats(t.Context())
		return err == nil && stats.PendingDeliveries["test"] == 0
	})

	if info, err := os.Stat(filepath.Join(s.dir, "reserve")); err != nil || info.Size() != 1<<20 {
		t.Errorf("the reserve: %v, %v", info, err)
	}
	free.Store(100 << 20)
	eventually(t, "the queue closes", func() bool { return running(t).Queue() == nil })
	eventually(t, "the reserve is released", func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "reserve"))
		return errors.Is(err, os.ErrNotExist)
	})
	s.put("/items/1", `{"id":"1","v":2}`)
	s.put("/items/2", `{"id":"2"}`)
	if status, problems := s.health(); status != http.StatusServiceUnavailable || !strings.Contains(problems, "full") || !strings.Contains(problems, "items since") {
		t.Errorf("health: %d, %s", status, problems)
	}
	for _, view := range []string{"status", "endpoints", "deliveries", "marks"} {
		if status, answer := s.get("/webhooks/" + view); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d, %v", view, status, answer)
		}
	}
	// A reload does not need the queue either.
	s.mustLoad(s.config("free_space 1GiB 512MiB 1MiB", "resource users"))
	free.Store(64 << 30)
	got := map[string]bool{}
	for range 2 {
		select {
		case e := <-s.events:
			got[e] = true
		case <-time.After(testTimeout):
			t.Fatalf("only %v was told", got)
		}
	}
	if !got["items.updated items/1"] || !got["items.updated items/2"] {
		t.Errorf("told %v", got)
	}
	s.change("/users/1", "users.updated users/1")
	eventually(t, "health is good again", func() bool { status, _ := s.health(); return status == http.StatusOK })
}

// While little space is left, exchanges leave nothing on the disk before they
// have ended, and are told of all the same.
func TestLowDisk(t *testing.T) {
	s := newStage(t)
	free := disk(t)
	s.mustLoad(s.config("free_space 1GiB 512MiB 1MiB", ""))
	free.Store(700 << 20)
	store := running(t).Queue()
	eventually(t, "space is low", func() bool { return queue.LevelOf(store) == queue.SpaceLow })
	open := -1
	s.mu.Lock()
	s.before = func() {
		stats, err := store.Stats(t.Context())
		if err != nil {
			t.Error(err)
		}
		open = stats.OpenIntents
	}
	s.mu.Unlock()
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	if open != 0 {
		t.Errorf("%d intents were open within the exchange", open)
	}
	left, err := os.ReadFile(filepath.Join(s.dir, queue.GapsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(left), `[{"resource":"items",`) {
		t.Errorf("the file of gaps has %q", strings.TrimRight(string(left), "\x00"))
	}
	if status, problems := s.health(); status != http.StatusServiceUnavailable || !strings.Contains(problems, "little") {
		t.Errorf("health: %d, %s", status, problems)
	}
}

// gapsFile returns the content of a file of gaps: CRC-32C of what follows, length,
// JSON, and zeros up to 16 KiB.
func gapsFile(gaps string) []byte {
	content := make([]byte, 16<<10)
	binary.BigEndian.PutUint32(content[4:], uint32(len(gaps)))
	copy(content[8:], gaps)
	binary.BigEndian.PutUint32(content, crc32.Checksum(content[4:], crc32.MakeTable(crc32.Castagnoli)))
	return content
}

// What an earlier process let pass is looked at, as nobody knows any more what
// it was.
func TestGapOfAnEarlierProcess(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	s.put("/items/2", `{"id":"2"}`)
	s.expect("items.updated items/2")
	s.mustLoad("{\nadmin " + s.admin + "\npersist_config off\n}\n")

	s.mu.Lock()
	s.state["/items/1"] = `{"id":"1","v":2}` // past Caddy
	s.mu.Unlock()
	content := gapsFile(`[{"resource":"gone","since":"2026-03-04T05:06:07Z"},{"resource":"items","since":"2026-03-04T05:06:07Z"}]`)
	if err := os.WriteFile(filepath.Join(s.dir, queue.GapsFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.mustLoad(s.config("", ""))
	s.expect("items.updated items/1")
	eventually(t, "the gap is repaired", func() bool { return !running(t).Intake.Unrepaired() })
	s.put("/items/3", `{"id":"3"}`)
	s.expect("items.updated items/3") // and nothing of items/2, which is as it was
}

// A damaged queue is set aside, and the API starts all the same.
func TestDamagedQueue(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	s.mustLoad("{\nadmin " + s.admin + "\npersist_config off\n}\n")
	tables, err := filepath.Glob(filepath.Join(s.dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	if err := os.Truncate(tables[0], 10); err != nil {
		t.Fatal(err)
	}
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1","v":2}`)
	status, problems := s.health()
	for _, want := range []string{"damaged", filepath.Base(tables[0]), "set-aside-", "caddy webhooks queue restore"} {
		if status != http.StatusServiceUnavailable || !strings.Contains(problems, want) {
			t.Errorf("health: %d, %s; want %q", status, problems, want)
		}
	}
	// Once the operator has restored it, Caddy opens it by itself, and looks
	// at what has passed meanwhile.
	kept, err := badger.SetAside(s.dir)
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept in %v, %v", kept, err)
	}
	if _, err := s.command("queue", "verify", "--dir", kept[0]); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("verify: %v", err)
	}
	if printed, err := s.command("queue", "restore", "--dir", s.dir, "--salvage", kept[0]); err != nil {
		t.Fatalf("restore: %v\n%s", err, printed)
	}
	s.expect("items.updated items/1")
	eventually(t, "health is good again", func() bool { status, _ := s.health(); return status == http.StatusOK })
}

// A backup of a running queue is a queue, in another directory.
func TestBackupCommand(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	dir := t.TempDir()
	full, second := filepath.Join(dir, "full"), filepath.Join(dir, "second")
	run := func(args ...string) string {
		t.Helper()
		printed, err := s.command(append([]string{"queue"}, args...)...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, printed)
		}
		return printed
	}
	run("backup", full)
	if _, err := s.command("queue", "backup", full); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a backup is overwritten: %v", err)
	}
	s.put("/items/2", `{"id":"2"}`)
	s.expect("items.updated items/2")
	run("backup", "--after", full, second)
	run("verify", full, second)
	if printed := run("stats", "--json"); !strings.Contains(printed, `"open": true`) || !strings.Contains(printed, `"free_bytes"`) {
		t.Errorf("stats: %s", printed)
	}
	if printed := run("stats"); !strings.HasPrefix(printed, "queue ") || !strings.Contains(printed, "enough: ") {
		t.Errorf("stats: %s", printed)
	}
	if _, err := s.command("queue", "verify", "--dir", s.dir); err == nil || !strings.Contains(err.Error(), "has "+s.dir+" open") {
		t.Errorf("a queue that is open: %v", err)
	}
	for _, bad := range [][]string{{"restore", "--dir", s.dir, full}, {"restore", "--dir", dir}, {"restore", "--empty", full}, {"restore", second, "--dir", filepath.Join(dir, "x")}} {
		if _, err := s.command(append([]string{"queue"}, bad...)...); err == nil {
			t.Errorf("%v works", bad)
		}
	}
	other := filepath.Join(dir, "queue")
	run("restore", "--dir", other, full, second)
	s.mu.Lock()
	s.state["/items/2"] = `{"id":"2","v":2}` // after the backup
	s.mu.Unlock()
	s.mustLoad(strings.ReplaceAll(s.config("", ""), s.dir, other))
	for {
		// What was delivered, and not recorded when the backup was made, is
		// delivered again.
		e := <-s.events
		if e == "items.updated items/2" {
			break
		}
	}
	if status, answer := s.get("/webhooks/queue/backup?since=x"); status != http.StatusBadRequest {
		t.Errorf("since=x: %d, %v", status, answer)
	}
}

func TestSecretsKey(t *testing.T) {
	one := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
	two := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("b", 32)))
	t.Setenv("KEY_ONE", one)
	t.Setenv("KEY_TWO", two)
	t.Setenv("KEY_BAD", "c2hvcnQ=")
	s := newStage(t)
	for _, global := range []string{"secrets_key", "secrets_key {env.NOT_SET}", "secrets_key {env.KEY_BAD}", "secrets_key {env.KEY_ONE} plain"} {
		if err := s.load(s.config(global, "")); err == nil || strings.Contains(err.Error(), "c2hvcnQ=") {
			t.Errorf("%s: %v", global, err)
		}
	}
	// Without a key, one is made that no one else can read.
	s.mustLoad(s.config("", ""))
	file := filepath.Join(s.dir, queue.KeyFile)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key: %v, %v", info, err)
	}
	s.mustLoad(s.config("secrets_key {env.KEY_TWO} {env.KEY_ONE}", ""))
	config := s.getAdmin("/config/")
	defer config.Body.Close()
	shown := make([]byte, 1<<16)
	n, _ := config.Body.Read(shown)
	if strings.Contains(string(shown[:n]), one) || !strings.Contains(string(shown[:n]), "{env.KEY_ONE}") {
		t.Error("the configuration shows the key")
	}
}
