// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// ending is how a request to the API ends.
type ending int

const (
	whole       ending = iota // committed; the answer has a length
	chunked                   // committed; the answer is chunked
	bodiless                  // committed; the answer has no body: the id is in the Location
	refused                   // not committed: 422
	failed                    // not committed: 500
	failedAfter               // committed, and then 500
	cut                       // not committed, and no answer
	cutAfter                  // committed, and no answer
	cutWithin                 // committed; the answer breaks off
	late                      // answered with 504, and committed later
	lateCut                   // no answer, and committed later
	endings
)

// draw draws how a request ends, and how long it takes.
func (a *api) draw() (how ending, delay time.Duration) {
	if !a.rough {
		return whole, 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delay = time.Duration(a.random.IntN(2000)) * time.Microsecond
	if a.random.IntN(20) == 0 {
		delay = time.Duration(a.random.IntN(300)) * time.Millisecond
	}
	if a.random.IntN(4) == 0 {
		return ending(a.random.IntN(int(endings))), delay
	}
	return whole, delay
}

// end commits and answers as drawn.
func (a *api) end(w http.ResponseWriter, how ending, request write) {
	switch how {
	case refused:
		http.Error(w, "refused", http.StatusUnprocessableEntity)
		return
	case failed:
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	case cut:
		panic(http.ErrAbortHandler)
	case late, lateCut:
		a.commitLate(request)
		if how == late {
			http.Error(w, "too late", http.StatusGatewayTimeout)
			return
		}
		panic(http.ErrAbortHandler)
	case whole, chunked, bodiless, failedAfter, cutAfter, cutWithin:
	}
	status, show, id := a.commit(request)
	switch {
	case how == failedAfter:
		http.Error(w, "failed", http.StatusInternalServerError)
	case how == cutAfter:
		panic(http.ErrAbortHandler)
	case show == nil:
		w.WriteHeader(status)
	default:
		answer(w, how, status, show, "/"+request.resource+"/"+id)
	}
}

// commitLate commits after the answer.
func (a *api) commitLate(request write) {
	a.mu.Lock()
	delay := time.Duration(a.random.Int64N(int64(maxLate)))
	a.mu.Unlock()
	a.work(1)
	go func() {
		defer a.work(-1)
		pause(context.Background(), delay)
		a.commit(request)
	}()
}

func answer(w http.ResponseWriter, how ending, status int, show []byte, location string) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	if status == http.StatusCreated {
		header.Set("Location", location)
	}
	flush := func() {
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
	}
	half := len(show) / 2
	switch how {
	case bodiless:
		if status == http.StatusOK {
			status = http.StatusNoContent
		} else {
			header.Set("Content-Length", "0")
		}
		w.WriteHeader(status)
	case chunked:
		w.WriteHeader(status)
		w.Write(show[:half])
		flush()
		w.Write(show[half:])
	case cutWithin:
		header.Set("Content-Length", strconv.Itoa(len(show)))
		w.WriteHeader(status)
		w.Write(show[:half])
		flush()
		panic(http.ErrAbortHandler)
	default:
		header.Set("Content-Length", strconv.Itoa(len(show)))
		w.WriteHeader(status)
		w.Write(show)
	}
}
