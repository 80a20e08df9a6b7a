// SPDX-License-Identifier: Apache-2.0

// Package damage flips bytes in the files of a queue, and starts a real Caddy
// on it. Each case ends with a running API, and either nothing is lost or the
// health check says what is.
package damage

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

var (
	binary string
	cases  = flag.Int("cases", 2, "how many damages there are of each of the eight kinds of files")
	seed   = flag.Uint64("seed", 1, "seed of the places")
)

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// kinds are the kinds of files in a queue's directory.
var kinds = []string{".sst", ".mem", ".vlog", "MANIFEST", "KEYREGISTRY", "acknowledged", "gaps", queue.JournalFile}

// TestDamage damages each kind of file at seeded places. Events that were
// acknowledged and not delivered yet must be delivered, or the health check
// must be red; and the API always answers.
func TestDamage(t *testing.T) {
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	pristine := filepath.Join(t.TempDir(), "queue")
	c := lab.New(t, binary, a, r, pristine)
	c.Global = "free_space 300MiB 200MiB 1MiB"
	// A queue with tables and a log, and with waiting marks: the API cannot be
	// read while they are made.
	for range 2 {
		c.Start(t)
		for i := range 20 {
			put(t, c, fmt.Sprintf("/items/%d", i))
		}
		c.Told(t, time.Minute)
		c.Stop(t)
	}
	c.Start(t)
	a.Hide(true)
	for i := range 20 {
		put(t, c, fmt.Sprintf("/items/%d", i))
	}
	c.Kill()
	a.Hide(false)
	passWithout(t, a, pristine)

	outcomes := make(map[string]int)
	for _, kind := range kinds {
		random := rand.New(rand.NewPCG(*seed, uint64(len(kind))))
		for range *cases {
			dir := filepath.Join(t.TempDir(), "queue")
			place := copyDamaged(t, random, pristine, dir, kind)
			if place == "" {
				t.Errorf("there is no file of kind %s", kind)
				break
			}
			outcome := start(t, a, dir, place)
			outcomes[kind+" "+outcome]++
			_ = os.RemoveAll(dir)
		}
	}
	t.Log(outcomes)
}

func put(t *testing.T, c *lab.Caddy, path string) {
	t.Helper()
	status, err := c.Do(t.Context(), "PUT", path, `{"padding":"`+strings.Repeat("y", 200)+`"}`)
	if err != nil || status > 299 {
		t.Fatalf("PUT %s: %d, %v\n%s", path, status, err, c.Tail())
	}
}

// unknown is an object that the queue has never seen: only its file of
// exchanges noted without the queue names it.
const unknown = "/items/unknown"

// passWithout makes the file that a Caddy leaves if it is killed while it opens
// its queue, and changes the objects that the file names.
func passWithout(t *testing.T, a *lab.API, dir string) {
	t.Helper()
	passed, err := journal.Open(dir, queue.Process)
	if err != nil {
		t.Fatal(err)
	}
	for n, path := range []string{"/items/0", "/items/1", unknown, "/items/2"} {
		a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "PUT", path, strings.NewReader(`{}`)))
		key := event.Key{Resource: "items", ID: strings.TrimPrefix(path, "/items/")}
		now := time.Now()
		id, err := passed.NoteIntent(t.Context(), queue.Intent{
			Resource: "items", Kind: event.KindUpdate, Rule: "PUT /items/:id", Key: key, Noted: now, Deadline: now.Add(time.Second),
		})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 { // the first answer never came
			changed := queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintUpdated}}}
			if _, err := passed.ResolveIntent(t.Context(), id, changed, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := passed.Close(); err != nil {
		t.Fatal(err)
	}
}

// start starts Caddy on a damaged queue, and returns how that ended.
func start(t *testing.T, a *lab.API, dir, place string) string {
	t.Helper()
	r := lab.NewReceiver(t)
	c := lab.New(t, binary, a, r, dir)
	c.Global = "free_space 300MiB 200MiB 1MiB"
	c.Start(t)
	defer c.Kill()
	if status, err := c.Do(t.Context(), "PUT", "/items/new", `{}`); err != nil || status > 299 {
		t.Errorf("%s: the API answers %d, %v", place, status, err)
	}
	open, _, err := c.Queued()
	if err != nil {
		t.Errorf("%s: %v", place, err)
	}
	status, problems, err := c.Health()
	if !open {
		if err != nil || status == 200 || !strings.Contains(problems, "set-aside-") {
			t.Errorf("%s: the queue is not open, and health is %d, %s, %v", place, status, problems, err)
		}
		return "set aside"
	}
	// Nothing is lost: all objects are announced in their current state. If the
	// damaged file is the only one that names an object, a record may say that
	// there may be some.
	var missing []string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { // polling another process
		if missing = r.Missing(a); len(missing) == 0 {
			return "no loss"
		}
		if len(missing) == 1 && strings.HasPrefix(missing[0], unknown) && strings.HasPrefix(place, queue.JournalFile) {
			switch recorded, err := hasGap(c); {
			case err != nil:
				t.Errorf("%s: %v", place, err)
			case recorded:
				return "recorded"
			}
		}
	}
	if status, problems, err = c.Health(); err != nil || status == 200 {
		t.Errorf("%s: %v is lost, and health says %d, %s, %v", place, missing, status, problems, err)
	}
	return "reported"
}

// hasGap reports whether there is an unresolved record of a gap.
func hasGap(c *lab.Caddy) (bool, error) {
	var answer struct {
		Items []struct {
			Rule string `json:"rule"`
		} `json:"items"`
	}
	if err := c.Ask("/webhooks/unresolved", &answer); err != nil {
		return false, err
	}
	for _, one := range answer.Items {
		if one.Rule == "gap" {
			return true, nil
		}
	}
	return false, nil
}

// copyDamaged copies a queue, and changes some bytes of a file of one kind.
func copyDamaged(t *testing.T, random *rand.Rand, from, to, kind string) string {
	t.Helper()
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if name == "reserve" || name == "LOCK" || entry.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		used := strings.TrimRight(string(content), "\x00")
		file := filepath.Join(to, name)
		if err := os.WriteFile(file, []byte(used), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, int64(len(content))); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, kind) && len(content) > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	name := names[random.IntN(len(names))]
	f, err := os.OpenFile(filepath.Join(to, name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	content, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	used := len(strings.TrimRight(string(content), "\x00"))
	if random.IntN(6) == 0 {
		size := random.IntN(used + 1)
		if err := f.Truncate(int64(size)); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s: cut to %d bytes of %d", name, size, used)
	}
	at, n := random.IntN(used+16), 1+random.IntN(8)
	bytes := make([]byte, n)
	for i := range bytes {
		if at+i < len(content) {
			bytes[i] = content[at+i]
		}
		bytes[i] ^= byte(1 + random.IntN(255))
	}
	if _, err := f.WriteAt(bytes, int64(at)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s: %d bytes of %d at %d", name, n, used, at)
}

// TestRestore takes a backup of a running queue, destroys the queue, and
// restores it while Caddy continues without it.
func TestRestore(t *testing.T) {
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	c := lab.New(t, binary, a, r, filepath.Join(t.TempDir(), "queue"))
	c.Global = "free_space 300MiB 200MiB 1MiB"
	c.Start(t)
	for i := range 20 {
		put(t, c, fmt.Sprintf("/items/%d", i))
	}
	c.Told(t, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	full := filepath.Join(t.TempDir(), "full")
	if output, err := c.Run(ctx, "webhooks", "queue", "backup", full, "--address", c.Admin()); err != nil {
		t.Fatalf("backup: %v\n%s", err, output)
	}
	for i := range 10 {
		put(t, c, fmt.Sprintf("/items/%d", i))
	}
	c.Told(t, time.Minute)
	c.Kill()
	if err := os.Truncate(filepath.Join(c.Queue, "MANIFEST"), 20); err != nil {
		t.Fatal(err)
	}
	c.Start(t)
	for i := range 5 {
		put(t, c, fmt.Sprintf("/items/%d", i))
	}
	if output, err := c.Run(ctx, "webhooks", "queue", "restore", "--dir", c.Queue, full); err != nil {
		t.Fatalf("restore: %v\n%s", err, output)
	}
	c.Told(t, time.Minute)
	c.Stop(t)
}
