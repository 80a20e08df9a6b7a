// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// problems says in words what is wrong with the queue.
func (e *engine) problems() (problems []string) {
	if trouble := e.passing(); trouble != nil {
		problems = append(problems, fmt.Sprintf("the queue is not open for %s, and the API goes on without it: %v",
			time.Since(trouble.since).Round(time.Second), trouble.err))
	}
	if store := e.store.Load(); store != nil {
		if store.Level() != queue.SpaceEnough {
			free, space := store.FreeSpace()
			problems = append(problems, fmt.Sprintf("the disk of the queue has %d MiB free; below %d MiB the queue takes little more, and below %d MiB it closes: make room",
				free>>20, space.Low>>20, space.Critical>>20))
		}
		if damaged := store.Damaged(); damaged > 0 {
			problems = append(problems, fmt.Sprintf("%d records of the queue could not be used; see the log, and run `caddy webhooks queue verify`", damaged))
		}
	}
	e.mu.Lock()
	idle := e.idle
	e.mu.Unlock()
	if idle != nil {
		problems = append(problems, fmt.Sprintf("the configuration cannot be put to work on the queue, which is tried again: %v", idle))
	}
	if e.keyring.Load() == nil && len(e.active()) > 0 {
		problems = append(problems, "there is no key to seal secrets with; configure a secrets_key")
	}
	if problem := e.interimProblem(); problem != "" {
		problems = append(problems, problem)
	}
	var gaps []string
	for _, one := range e.gaps.list() {
		gaps = append(gaps, fmt.Sprintf("%s since %s", one.Resource, one.Since.Format(time.RFC3339)))
	}
	if kept := e.gaps.waiting(); len(gaps) > 0 && (kept || e.store.Load() == nil) {
		problems = append(problems, "changes have passed without the queue, and are not made up for yet: "+strings.Join(gaps, ", "))
	}
	return problems
}

// errOpening is why the queue is not open while it is being opened.
var errOpening = errors.New("it is being opened, which takes some seconds for each million deliveries that wait")

// passing returns why the queue is not open, nil while it is.
func (e *engine) passing() *trouble {
	if e.store.Load() != nil {
		return nil
	}
	if o := e.opening.Load(); o != nil && e.trouble.Load() == nil {
		return &trouble{err: errOpening, since: o.since}
	}
	return e.trouble.Load()
}

// active returns the apps that have started.
func (e *engine) active() []*App {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.started[:len(e.started):len(e.started)]
}
