// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// Problems says in words what is wrong with the queue.
func (p *Pipeline) Problems() (problems []string) {
	if since, err := p.NotOpen(); err != nil {
		problems = append(problems, fmt.Sprintf("the queue is not open for %s, and the API goes on without it: %v",
			time.Since(since).Round(time.Second), err))
	}
	store := p.Queue()
	if store != nil {
		problems = append(problems, storeProblems(store)...)
	}
	p.mu.Lock()
	idle, started := p.idle, len(p.started)
	p.mu.Unlock()
	if idle != nil {
		problems = append(problems, fmt.Sprintf("the configuration cannot be put to work on the queue, which is tried again: %v", idle))
	}
	problems = append(problems, showsProblems(p.Shows())...)
	for _, l := range p.Listings() {
		if l.Failing() {
			problems = append(problems, fmt.Sprintf("the list of %s does not complete, since %s: %s", l.Resource, l.Since.Format(time.RFC3339), l.Reason))
		}
	}
	if p.keyring.Load() == nil && started > 0 {
		problems = append(problems, "there is no key to seal secrets with; configure a secrets_key")
	}
	if session := p.open(); session != nil && session.directory.Unread() > 0 {
		problems = append(problems, fmt.Sprintf("%d endpoints that subscribers have made cannot be read, and get no events: put the key that sealed them back into secrets_key", session.directory.Unread()))
	}
	if waiting := p.Intake.Waiting(); waiting > 0 && store != nil {
		problems = append(problems, fmt.Sprintf("%d exchanges that passed while the queue was being opened are not in it yet", waiting))
	}
	var gaps []string
	for _, gap := range p.Intake.Gaps() {
		gaps = append(gaps, fmt.Sprintf("%s since %s", gap.Resource, gap.Since.Format(time.RFC3339)))
	}
	if unrepaired := p.Intake.Unrepaired(); len(gaps) > 0 && (unrepaired || store == nil) {
		problems = append(problems, "changes have passed without the queue, and are not made up for yet: "+strings.Join(gaps, ", "))
	}
	return problems
}

// Listing says how a list of all objects fares.
type Listing = reconcile.Listing

// Listings returns how the lists of all objects fare, none while the queue is not open.
func (p *Pipeline) Listings() []Listing {
	if s := p.open(); s != nil {
		return s.reconciler.Listings()
	}
	return nil
}

// Shows says how the Shows of a resource fare.
type Shows = reconcile.Shows

// Shows returns how Shows fare, by resource; none while the queue is not open.
func (p *Pipeline) Shows() []Shows {
	if s := p.open(); s != nil {
		return s.reconciler.Shows()
	}
	return nil
}

// showsProblems says in words of which resources no Show can be had.
func showsProblems(all []Shows) (problems []string) {
	for _, shows := range all {
		if shows.Status == reconcile.ShowsFailing {
			problems = append(problems, fmt.Sprintf("the Shows of %s (%s) are %s since %s: %s",
				shows.Resource, shows.Show, shows.Status, shows.Since.Format(time.RFC3339), shows.Reason))
		}
	}
	return problems
}

// storeProblems says in words what is wrong with an open queue.
func storeProblems(store queue.Store) (problems []string) {
	if queue.LevelOf(store) != queue.SpaceEnough {
		free, space := queue.SpacerOf(store).FreeSpace()
		problems = append(problems, fmt.Sprintf("the disk of the queue has %d MiB free; below %d MiB the queue takes little more, and below %d MiB it closes: make room",
			free>>20, space.Low>>20, space.Critical>>20))
	}
	if lacks := queue.CheckerOf(store).Lacks(); lacks != "" {
		problems = append(problems, "the queue: "+lacks)
	}
	if stalled := queue.StallerOf(store).Stalled(); stalled >= queue.Timeout {
		problems = append(problems, fmt.Sprintf("the disk of the queue has not answered for %s, and exchanges pass without the queue", stalled.Round(time.Second)))
	}
	if damaged := queue.RecovererOf(store).Damaged(); damaged > 0 {
		problems = append(problems, fmt.Sprintf("%d records of the queue could not be used; see the log, and run `caddy webhooks queue verify`", damaged))
	}
	return problems
}

// errOpening is why the queue is not open while it is being opened.
var errOpening = errors.New("it is being opened, which takes some seconds for each million deliveries that wait")

// NotOpen returns since when and why the queue is not open. The reason is nil while
// it is open, and before its first use.
func (p *Pipeline) NotOpen() (since time.Time, reason error) {
	switch s := p.state.Load(); {
	case s.session != nil:
		return time.Time{}, nil
	case s.trouble != nil:
		return s.trouble.since, s.trouble.err
	case s.opening != nil:
		return s.opening.since, errOpening
	}
	return time.Time{}, nil
}

// Closing reports whether a queue that is not open any more still writes to its
// disk what was only in logs and memory.
func (p *Pipeline) Closing() bool {
	return p.state.Load().closing
}
