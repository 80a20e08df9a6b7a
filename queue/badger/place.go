// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"path/filepath"
	"sync"
)

// known are the directories that this process has located.
var known struct {
	sync.Mutex
	dirs []string
}

// Locate returns the one path of a directory of a queue, under which this
// process knows it, whichever way leads there: symbolic links, also of parents of
// a directory that is not made yet, and mounts of one directory at two places. A
// link that leads elsewhere later does not move a queue that is located.
func Locate(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	place := resolve(absolute, maxLinks)
	known.Lock()
	defer known.Unlock()
	info, err := os.Stat(place)
	for _, other := range known.dirs {
		if other == place {
			return place, nil
		}
		if err != nil {
			continue // it is not made yet
		}
		if there, err := os.Stat(other); err == nil && os.SameFile(info, there) {
			return other, nil
		}
	}
	known.dirs = append(known.dirs, place)
	return place, nil
}

// maxLinks limits how many links are followed, as systems do.
const maxLinks = 40

// resolve follows the links of a path, as far as it exists, and those that lead
// to what does not exist yet.
func resolve(path string, links int) string {
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		return followed
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	if target, err := os.Readlink(path); err == nil && links > 0 {
		if !filepath.IsAbs(target) {
			target = filepath.Join(resolve(parent, links-1), target)
		}
		return resolve(target, links-1)
	}
	return filepath.Join(resolve(parent, links), filepath.Base(path))
}
