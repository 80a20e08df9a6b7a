// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestEngine(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(dir))
	free := uint64(1 << 40)
	e := Engine{Directory: dir, FreeSpace: func(string) (uint64, uint64, error) { return free, 1 << 40, nil }}
	if relative := (Engine{Directory: filepath.Base(dir)}); relative.Name() != e.Name() || relative.Dir() == e.Dir() {
		t.Errorf("%s is not %s", relative.Name(), e.Name())
	}
	owned := false
	s, err := e.Open(queue.OpenOptions{
		Settings: queue.Settings{Durability: queue.Process, Retention: time.Hour},
		Space:    queue.Space{Reserve: 1 << 20},
		Owned:    func() { owned = true },
	})
	must(t, err)
	if !owned {
		t.Error("whose the directory is was not said")
	}
	if other, err := e.Open(queue.OpenOptions{}); !errors.Is(err, queue.ErrInUse) || other != nil {
		t.Errorf("it opens twice: %v, %v", other, err)
	}
	if tables, logs, others := queue.FilerOf(e).DiskUsage(); logs == 0 || others == 0 {
		t.Errorf("it takes %d, %d and %d bytes", tables, logs, others)
	}
	if queue.LevelOf(s) != queue.SpaceEnough || queue.SpacerOf(s).CheckSpace() != queue.SpaceEnough {
		t.Errorf("the free space is %v", queue.LevelOf(s))
	}
	free = 0
	if got := queue.SpacerOf(s).CheckSpace(); got != queue.SpaceCritical {
		t.Errorf("the free space is %v", got)
	}
	if enough, _, needed := e.Room(queue.Space{}); enough || needed == 0 {
		t.Errorf("there is room on a full disk, where %d bytes are needed", needed)
	}
	must(t, e.ReleaseReserve())
	if reserved(dir) != 0 {
		t.Error("the reserve is still held")
	}
	must(t, s.Close())
	if kept, err := e.SetAside(); err != nil || len(kept) != 0 {
		t.Errorf("set aside: %v, %v", kept, err)
	}
}
