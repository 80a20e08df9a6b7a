// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Watch says how often an object's Show is read although no exchange asks for it.
type Watch struct {
	// Every is how often the Show is read.
	Every time.Duration
	// Until holds in the Show of an object that does not change any more.
	Until *Condition
}

// compileWatch compiles the option `watch`.
func (r *Resource) compileWatch(d syntax.Resource) error {
	if d.Watch == nil {
		return nil
	}
	if err := r.readableAlone("watch"); err != nil {
		return err
	}
	if d.Watch.Every <= 0 {
		return errors.New("it takes how often an object is looked at, as `watch every 30s until state in completed`")
	}
	if d.Watch.Until == nil {
		return errors.New("it has no end; add the state in which an object does not change any more, as `until state in completed cancelled`")
	}
	until, err := compileUntil(d.Watch.Until)
	if err != nil {
		return err
	}
	r.Watch = &Watch{Every: time.Duration(d.Watch.Every), Until: until}
	return nil
}
