// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// configuration is what commands need of the one that --config names.
type configuration struct {
	Admin caddy.AdminConfig `json:"admin"`
	Apps  struct {
		Webhooks *struct {
			Queue struct {
				Engine string `json:"engine"`
				Dir    string `json:"dir"`
			} `json:"queue"`
		} `json:"webhooks"`
	} `json:"apps"`
}

// configuration reads the configuration that --config names.
func (c call) configuration() (configuration, error) {
	var read configuration
	file := c.String("config")
	text, _, _, err := caddycmd.LoadConfig(file, c.String("adapter"))
	if err != nil {
		return read, err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return read, fmt.Errorf("reading the configuration %s: %w", file, err)
	}
	return read, nil
}

// adminAddress returns the address of the admin endpoint: --address, that of the
// configuration, or Caddy's default.
func (c call) adminAddress() (string, error) {
	if address := c.String("address"); address != "" {
		return address, nil
	}
	file := c.String("config")
	if file == "" {
		if c.String("adapter") != "" {
			return "", errors.New("--adapter is that of a configuration; name it with --config")
		}
		return caddy.DefaultAdminListen, nil
	}
	read, err := c.configuration()
	switch {
	case err != nil:
		return "", err
	case read.Admin.Disabled:
		return "", fmt.Errorf("%s has no admin endpoint (`admin off`), which this command asks; "+
			"`admin unix//run/caddy/admin.sock` makes one that only users who may write to that file can reach", file)
	case read.Admin.Listen == "":
		return caddy.DefaultAdminListen, nil
	}
	return filled("admin", read.Admin.Listen)
}

// queueDir returns the directory of the queue that a command is about.
func (c call) queueDir() (string, error) {
	dir, file := c.String("dir"), c.String("config")
	switch {
	case dir != "" && file != "":
		return "", errors.New("--dir and --config both say which queue is meant; leave one out")
	case dir != "":
		return dir, nil
	case file == "":
		return filepath.Join(caddy.AppDataDir(), "webhooks"), nil
	}
	read, err := c.configuration()
	if err != nil {
		return "", err
	}
	if read.Apps.Webhooks == nil {
		return "", fmt.Errorf("%s has no webhooks", file)
	}
	switch queue := read.Apps.Webhooks.Queue; {
	case queue.Engine != "" && queue.Engine != "badger":
		return "", fmt.Errorf("the queue of %s is of the engine %s, and this command works on the files of badger", file, queue.Engine)
	case queue.Dir == "":
		return filepath.Join(caddy.AppDataDir(), "webhooks"), nil
	default:
		return filled("queue", queue.Dir)
	}
}

// filled returns a text of the configuration with what its placeholders stand for.
func filled(what, text string) (string, error) {
	plain, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w; set it for this command, too", what, text, err)
	}
	return plain, nil
}
