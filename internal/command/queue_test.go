// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// backupOf returns a full backup of a new queue.
func backupOf(t *testing.T) string {
	t.Helper()
	store, err := badger.Open(badger.Options{Dir: t.TempDir(), Space: queue.Space{Reserve: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if _, err := store.Backup(t.Context(), &backup, 0); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return backup.String()
}

// queue runs `caddy webhooks queue ARGS`, on files or against the admin API.
func (a *adminAPI) queue(t *testing.T, args ...string) (printed string, requests []string, err error) {
	t.Helper()
	if args[0] == "backup" {
		return a.run(t, append([]string{"queue"}, args...)...)
	}
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs(append([]string{"webhooks", "queue"}, args...))
	err = root.Execute()
	return out.String(), nil, err
}

// A backup has its name only when it is whole, and a queue is made of it.
func TestQueueFiles(t *testing.T) {
	backup := backupOf(t)
	answer := backup[:len(backup)-1]
	api := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusOK, answer })
	dir := t.TempDir()
	full, next, restored := filepath.Join(dir, "full"), filepath.Join(dir, "next"), filepath.Join(dir, "queue")
	try := func(wantErr, want string, args ...string) (requests []string) {
		t.Helper()
		printed, requests, err := api.queue(t, args...)
		if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: %v, want %q", args, err, wantErr)
		}
		if !strings.Contains(printed, want) {
			t.Errorf("%s does not print %q:\n%s", args, want, printed)
		}
		return requests
	}
	try("backup", "", "backup", full)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a backup that breaks off leaves %v, %v", left, err)
	}
	answer = backup
	if requests := try("", full+": ", "backup", full); len(requests) != 1 || requests[0] != "GET /webhooks/queue/backup?since=0" {
		t.Errorf("requested %q", requests)
	}
	if requests := try("is there already", "", "backup", full); len(requests) != 0 {
		t.Errorf("requested %q", requests)
	}
	_, end, err := badger.VerifyBackup(full)
	if err != nil {
		t.Fatal(err)
	}
	if requests := try("", "", "backup", "--after", full, next); len(requests) != 1 || requests[0] != fmt.Sprint("GET /webhooks/queue/backup?since=", end.Until) {
		t.Errorf("requested %q", requests)
	}
	try("no such file", "", "backup", "--after", full+"x", next+"x")
	try("", full+": whole; ", "verify", full)
	try("no such file", "", "verify", full+"x")

	for _, args := range [][]string{{}, {full, "--empty"}, {full, "--salvage", dir}, {"--empty", "--salvage", dir}} {
		try("give backups, or --salvage", "", append([]string{"restore", "--dir", restored}, args...)...)
	}
	try("", " are in "+restored+", ", "restore", "--dir", restored, full)
	try("", restored+": whole; ", "verify", "--dir", restored)
	try("", `"findings"`, "verify", "--json", "--dir", restored)
	if err := os.WriteFile(filepath.Join(restored, queue.JournalFile), []byte("not a journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	try("", "it does not begin as it should; the next start looks at all resources", "verify", "--dir", restored)
	salvaged, empty := filepath.Join(dir, "salvaged"), filepath.Join(dir, "empty")
	try("", `"rows"`, "restore", "--json", "--dir", salvaged, "--salvage", restored)
	try("", "an empty queue is in "+empty+"\n", "restore", "--dir", empty, "--empty")
	damaged := filepath.Join(restored, "MANIFEST")
	if err := os.WriteFile(damaged, []byte("no manifest"), 0o600); err != nil {
		t.Fatal(err)
	}
	try("is damaged: ", "damaged: MANIFEST: ", "verify", "--dir", restored)
	try("there is no queue in "+filepath.Join(dir, "none"), "", "verify", "--dir", filepath.Join(dir, "none"))
	try("there is no queue in "+dir, "", "verify", "--dir", dir)
}

// What a command on files would not look at is refused.
func TestQueueFilesFlags(t *testing.T) {
	api := newAdminAPI(t, nil)
	for args, want := range map[string]string{
		"verify":                       "--address means nothing here: this command works on files",
		"restore --empty":              "--address means nothing here",
		"verify x --dir y":             "--address means nothing here",
		"verify x --dir y -":           "--dir means nothing here: backups are read",
		"verify x --config y -":        "--config means nothing here",
		"verify --dir x --config y -":  "--dir and --config both say which queue is meant",
		"restore --dir x --config y -": "--dir and --config both say which queue is meant",
	} {
		var err error
		if without, ok := strings.CutSuffix(args, " -"); ok {
			_, _, err = api.queue(t, strings.Fields(without)...)
		} else {
			_, _, err = api.run(t, append([]string{"queue"}, strings.Fields(args)...)...)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
