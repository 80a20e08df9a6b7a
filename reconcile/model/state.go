// SPDX-License-Identifier: Apache-2.0

package model

// maxRequests limits an exploration. States have a fixed size, so that they can
// be compared and remembered cheaply.
const maxRequests = 4

// Kind is what a request asks the API to do.
type Kind uint8

// The kinds of requests.
const (
	Create Kind = iota // POST /items: only the answer has the id
	Update             // PATCH /items/:id
	Delete             // DELETE /items/:id
)

func (k Kind) String() string { return [...]string{"create", "update", "delete"}[k] }

// phase is how far an exchange has got.
type phase uint8

const (
	idle     phase = iota
	sent           // the intent is noted, and the API is at work
	answered       // the API confirmed
	failed         // the exchange ended, and its outcome is unknown
	closed         // the intent is closed, and the object not marked: without M2
	done           // nothing more will be known of it
)

// request is one exchange with the API.
type request struct {
	phase phase
	// applied is the state that the API committed for it, 0 for none.
	applied uint8
	// late is true while the API may still execute a request that it did not
	// answer, or replicas may not show its effect yet.
	late bool
	// refused is true once the API will never execute the request.
	refused bool
	// told is true once the client has the whole answer to a create.
	told bool
}

// set is a set of requests.
type set uint8

func (s set) has(i int) bool    { return s&(1<<i) != 0 }
func (s set) with(i int) set    { return s | 1<<i }
func (s set) without(i int) set { return s &^ (1 << i) }

// hints are those of queue.Hints.
type hints uint8

const (
	hintCreated hints = 1 << iota
	hintDeleted
	hintMayBeDeleted
	hintMayBeCreated
	hintUpdated
	hintMayBeUpdated
)

// mark is the durable note that the object may differ. Its generation is not
// counted: it only matters whether it is the first, and whether it, or one of
// its hints, is younger than the lease.
type mark struct {
	made, again  bool // the generation is at least 1, and at least 2
	waits        bool // it is due at SettleAt, and not sooner
	looks        bool // LookAgain left it; it is due when everything is over
	hints, young hints
	// moved is true if a mark was merged after the lease began, and movedLate
	// if such a mark has a SettleAt.
	moved, movedLate bool
	version          uint8
	// settle holds the requests whose SettleAt was merged into the mark and has
	// not passed.
	settle set
}

// merge is mark.Record.Merge of queue/internal.
func (m *mark) merge(h hints, version uint8, settle set, newest bool) {
	m.again = m.made
	m.made, m.moved, m.waits, m.looks = true, true, false, false
	m.hints |= h
	m.young |= h
	if version != 0 && (!newest || version > m.version) {
		m.version = version
	}
	m.settle |= settle
	m.movedLate = m.movedLate || settle != 0
}

// leased marks everything that was merged into the mark as older than a lease.
func (m *mark) leased() { m.young, m.moved, m.movedLate = 0, false, false }

// snapshot is the last known state of the object.
type snapshot struct {
	known, gone bool
	state       uint8
	// version is the newest version seen of an object that is gone, with
	// LookAgain.
	version uint8
}

// queue is the content of the queue.
type queue struct {
	intents    set
	unresolved set
	mark       mark
	snapshot   snapshot
	// told is the state of the last event, 0 if there is none, and untold
	// counts the snapshots whose event is missing.
	told, untold uint8
	// broken is the promise that an event broke.
	broken fault
}

// fault is what is wrong with an event.
type fault uint8

const (
	sound      fault = iota
	outOfOrder       // its state is not after that of the event before
	withAHole        // its sequence is not that of the event before, plus one
	notDeleted       // it announces a delete that nobody made
)

// lease is a reconciliation under way. It does not survive a crash.
type lease struct {
	held, seen bool
	// These are copied from the mark when it was leased.
	again   bool
	hints   hints
	version uint8
	// unsettled is true if some SettleAt had not passed when Show was
	// requested, and calm if everything was long over.
	unsettled, calm bool
	// state is the state in Show, and present whether Show had an object.
	state   uint8
	present bool
	// owed is an event that is not committed yet: without M4.
	owed bool
}

// State is the whole state of the model at one moment. It is comparable.
type State struct {
	requests [maxRequests]request
	// now numbers the state of the API, from 1; oldest is the oldest state that
	// a replica may still show; present has a bit for each state with an
	// object.
	now, oldest uint8
	present     uint16

	queue   queue // as the process sees it
	durable queue // as a crash leaves it
	lease   lease
	crashes uint8
}

func (s *State) exists(state uint8) bool { return s.present&(1<<state) != 0 }

// sync makes everything in the queue durable.
func (s *State) sync() { s.durable = s.queue }

// commit moves the API to its next state.
func (s *State) commit(present bool, o *Options) uint8 {
	s.now++
	if present {
		s.present |= 1 << s.now
	}
	if !o.Lag {
		s.oldest = s.now
	}
	return s.now
}

// forget makes states equal that differ only in details that no longer matter.
func (s *State) forget(o *Options) {
	if int(s.crashes) == o.Crashes {
		s.sync() // nothing can be lost any more
	}
	open := s.queue.intents | s.durable.intents | s.queue.unresolved | s.durable.unresolved
	for i := range o.Requests {
		r := &s.requests[i]
		if r.late {
			continue
		}
		s.queue.mark.settle = s.queue.mark.settle.without(i)
		s.durable.mark.settle = s.durable.mark.settle.without(i)
		if r.phase == done && !open.has(i) {
			*r = request{phase: done, refused: true}
		}
	}
	for _, m := range []*mark{&s.queue.mark, &s.durable.mark} {
		m.waits = m.waits && m.settle != 0
	}
	if !s.lease.held {
		s.queue.mark.leased()
	}
	s.durable.mark.leased()
}
