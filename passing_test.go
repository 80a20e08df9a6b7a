// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
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
	for deadline := time.Now().Add(20 * time.Second); ; {
		if condition() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
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
		stats, err := running(t).store.Load().Stats(t.Context())
		return err == nil && stats.PendingDeliveries["test"] == 0
	})

	if info, err := os.Stat(filepath.Join(s.dir, "reserve")); err != nil || info.Size() != 1<<20 {
		t.Errorf("the reserve: %v, %v", info, err)
	}
	free.Store(100 << 20)
	eventually(t, "the queue closes", func() bool { return running(t).store.Load() == nil })
	if _, err := os.Stat(filepath.Join(s.dir, "reserve")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reserve is still held: %v", err)
	}
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
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v was told", got)
		}
	}
	if !got["items.updated items/1"] || !got["items.updated items/2"] {
		t.Errorf("told %v", got)
	}
	s.putUntil("/users/1", "users.updated users/1")
	eventually(t, "health is good again", func() bool { status, _ := s.health(); return status == http.StatusOK })
}

// While little space is left, exchanges leave nothing on the disk before they
// have ended, and are told of all the same.
func TestLowDisk(t *testing.T) {
	s := newStage(t)
	free := disk(t)
	s.mustLoad(s.config("free_space 1GiB 512MiB 1MiB", ""))
	free.Store(700 << 20)
	store := running(t).store.Load()
	eventually(t, "space is low", func() bool { return store.Level() == queue.SpaceLow })
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
	if gaps, err := decodeGaps(left); err != nil || len(gaps) != 1 || gaps[0].Resource != "items" {
		t.Errorf("the file of gaps has %v, %v", gaps, err)
	}
	if status, problems := s.health(); status != http.StatusServiceUnavailable || !strings.Contains(problems, "little") {
		t.Errorf("health: %d, %s", status, problems)
	}
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
	content := encodeGaps([]gap{{Resource: "items", Since: time.Now()}, {Resource: "gone"}})
	if err := os.WriteFile(filepath.Join(s.dir, queue.GapsFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.mustLoad(s.config("", ""))
	s.expect("items.updated items/1")
	eventually(t, "the gap is repaired", func() bool { return !running(t).gaps.waiting() })
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
	if printed := run("stats"); !strings.Contains(printed, `"open": true`) || !strings.Contains(printed, `"free_bytes"`) {
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

func TestGaps(t *testing.T) {
	dir := t.TempDir()
	g := newGaps(dir, liveLogger("test"))
	g.adopt()
	if !g.passes(t.Context(), 0, event.KindUpdate, "items", "users") || !g.passes(t.Context(), 7, event.KindDelete, "items") {
		t.Fatal("not noted")
	}
	g.keep(t.Context(), repair{resource: "items", resolution: queue.Resolution{Unresolved: "no id"}})
	g.close()
	g.close()
	again := newGaps(dir, liveLogger("test"))
	again.adopt()
	defer again.close()
	all := again.list()
	if len(all) != 2 || all[0].Resource != "items" || !all[0].Deletes || !all[0].whole || all[1].Resource != "users" || all[1].Deletes {
		t.Errorf("got %+v", all)
	}
	if err := again.whole(t.Context(), allResources); err != nil {
		t.Error(err)
	}
	again.expand([]string{"orders", "users"})
	names := ""
	for _, one := range again.list() {
		names += one.Resource + " "
	}
	if names != "items orders users " {
		t.Errorf("got %s", names)
	}
}

// A gap is closed when the last exchange that passed has ended, some time later
// or with the queue; and much later in any case.
func TestGapsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		open := func(g *gaps) int {
			t.Helper()
			g.repair(t.Context(), memory.New(time.Now), func(string) (repaired, bool) { return repaired{}, true })
			return len(g.list())
		}
		g := newGaps(dir, liveLogger("test"))
		g.adopt()
		g.passes(t.Context(), 0, event.KindUpdate, "items")
		g.passes(t.Context(), 7, event.KindDelete, "items")
		if !g.passed(0) || !g.passed(7) || g.passed(8) {
			t.Error("passed tells something else")
		}
		g.ended(0)
		time.Sleep(gapLingers)
		if n := open(g); n != 1 {
			t.Errorf("while an exchange passes: %d gaps", n)
		}
		g.passes(t.Context(), 0, event.KindUpdate, "items")
		g.ended(0)
		g.ended(7)
		if n := open(g); n != 1 || g.passed(7) {
			t.Errorf("at once: %d gaps, and 7 passed: %v", n, g.passed(7))
		}
		time.Sleep(gapLingers)
		if n := open(g); n != 0 {
			t.Errorf("later: %d gaps", n)
		}
		g.passes(t.Context(), 0, event.KindUpdate, "users")
		time.Sleep(gapOutlived + 1)
		if n := open(g); n != 0 {
			t.Errorf("much later: %d gaps", n)
		}
		g.ended(0)
		g.passes(t.Context(), 0, event.KindUpdate, "orders")
		g.ended(0)
		g.close()
		again := newGaps(dir, liveLogger("test"))
		again.adopt()
		defer again.close()
		if all := again.list(); len(all) != 0 {
			t.Errorf("the next process has %+v", all)
		}
	})
}

// Too many resources, or a file that is damaged, stand for all of them.
func TestGapFile(t *testing.T) {
	var many []gap
	for i := range 5000 {
		many = append(many, gap{Resource: fmt.Sprint("resource-", i)})
	}
	for name, all := range map[string][]gap{"none": nil, "one": {{Resource: "items"}}, "many": many} {
		content := encodeGaps(all)
		got, err := decodeGaps(content)
		if err != nil || len(content) != gapsSize {
			t.Errorf("%s: %v", name, err)
		}
		switch {
		case name == "many" && (len(got) != 1 || got[0].Resource != allResources || !got[0].Deletes):
			t.Errorf("%s: got %v", name, got)
		case name != "many" && len(got) != len(all):
			t.Errorf("%s: got %v", name, got)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			changed := append([]byte(nil), content...)
			changed[random.IntN(len(changed))] ^= byte(1 + random.IntN(255))
			if _, err := decodeGaps(changed); err == nil {
				t.Errorf("%s: damage is not seen", name)
			}
		}
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
	sealed := running(t).keyring.Load().Seal([]byte("secret"), []byte("erp"))
	for _, step := range []struct {
		global string
		stale  bool
		sealed []byte
	}{
		{"", false, sealed},
		{"secrets_key {env.KEY_ONE}", true, sealed},
		{"secrets_key {env.KEY_TWO} {env.KEY_ONE}", true, nil},
	} {
		s.mustLoad(s.config(step.global, ""))
		if step.sealed == nil {
			step.sealed = sealed
		}
		plain, stale, err := running(t).keyring.Load().Open(step.sealed, []byte("erp"))
		if err != nil || stale != step.stale || string(plain) != "secret" {
			t.Errorf("%s: %q, %v, %v", step.global, plain, stale, err)
		}
		sealed = running(t).keyring.Load().Seal([]byte("secret"), []byte("erp"))
	}
	config, err := http.Get("http://" + s.admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	defer config.Body.Close()
	shown := make([]byte, 1<<16)
	n, _ := config.Body.Read(shown)
	if strings.Contains(string(shown[:n]), one) || !strings.Contains(string(shown[:n]), "{env.KEY_ONE}") {
		t.Error("the configuration shows the key")
	}
}

// An exchange that was not noted, and of which nothing tells what it was about,
// is looked for in all of its resource.
func TestUnresolvedWithoutIntent(t *testing.T) {
	e := newEngine(t.TempDir())
	openWith(t, e, badger.Options{Dir: e.dir, Space: queue.Space{Reserve: 1}})
	t.Cleanup(func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
	e.resolve(t.Context(), "items", 0, queue.Resolution{Unresolved: "no id"}, true)
	if !e.gaps.waiting() {
		t.Errorf("the gaps are %+v", e.gaps.list())
	}
}

// However an exchange ends that passes, it does not count as one that passes any
// more.
func TestPassingEnds(t *testing.T) {
	e := newEngine(t.TempDir())
	e.fail(errors.New("no disk"))
	h := handlerFor(t, &App{engine: e}, &syntax.Resource{Name: "items"})
	answer := func(status int) func(http.ResponseWriter, *http.Request) error {
		return func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(status)
			return nil
		}
	}
	for name, end := range map[string]func(http.ResponseWriter, *http.Request) error{
		"done": answer(http.StatusOK), "refused": answer(http.StatusNotFound), "unknown": answer(http.StatusGatewayTimeout),
		"failed":  func(http.ResponseWriter, *http.Request) error { return errors.New("no connection") },
		"aborted": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
	} {
		for _, policy := range []string{onQueueErrorPass, onQueueErrorFail} {
			h.OnQueueError = policy
			func() {
				defer func() { _ = recover() }()
				_, _ = send(h, http.MethodPatch, "/items/1", "", end)
			}()
			if e.gaps.passing != 0 {
				t.Fatalf("%s, %s: %d pass still", name, policy, e.gaps.passing)
			}
		}
	}
	if len(e.gaps.list()) != 1 {
		t.Error("nothing has passed")
	}
}
