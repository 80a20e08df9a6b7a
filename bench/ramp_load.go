// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/bench/ramp"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// rampClients is how many requests are under way at most: as many as Shows are
	// read at once at most, by default.
	rampClients = 256
	// rampPulse is how often changes are begun.
	rampPulse = 2 * time.Millisecond
	// One change in rampOften is of one of few objects, which change many times a
	// second; the others take turns.
	rampOften, rampFew, rampMany = 10, 16, 20_000
)

// target returns the path of the n-th change.
func target(n int) string {
	if n%rampOften == 0 {
		return "/orders/" + strconv.Itoa(n/rampOften%rampFew)
	}
	return "/items/" + strconv.Itoa(n%rampMany)
}

// load makes the changes of a ramp. It does not wait for answers: a change for which no
// client is free is left out, and so the rate that is accepted is below the one that is
// wanted.
func (w *witness) load(shape ramp.Shape) {
	turns := make(chan int)
	var work sync.WaitGroup
	for range rampClients {
		work.Go(func() { w.client(turns) })
	}
	pulse := time.NewTicker(rampPulse)
	defer pulse.Stop()
	begun := w.begun
	for n := 0; ; {
		passed := time.Since(begun)
		for due := int(shape.Due(passed)); n < due; n++ {
			select {
			case turns <- n:
			default:
			}
		}
		if passed >= shape.Lasts {
			break
		}
		<-pulse.C
	}
	close(turns)
	work.Wait()
}

// client makes changes, on a connection of its own, which it makes anew after a failure.
func (w *witness) client(turns <-chan int) {
	var c *client
	defer func() {
		if c != nil {
			c.conn.Close()
		}
	}()
	for n := range turns {
		begun := time.Now()
		err := w.change(&c, n)
		if err != nil && c != nil {
			c.conn.Close()
			c = nil
		}
		w.answered(begun, err)
	}
}

func (w *witness) change(c **client, n int) (err error) {
	if *c == nil {
		if *c, err = dial(moduleAddress); err != nil {
			return err
		}
	}
	status, err := (*c).do(http.MethodPatch, target(n))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d", target(n), status)
	}
	return err
}

// rampStatus is the queue's state.
type rampStatus struct {
	Queue queue.Stats `json:"queue"`
}

// left returns what is left to do, as an error.
func (s rampStatus) left() error {
	if s.Queue.PendingDeliveries == nil {
		return errors.New("the queue does not know yet what is pending")
	}
	pending := 0
	for _, n := range s.Queue.PendingDeliveries {
		pending += n
	}
	if s.Queue.OpenIntents+s.Queue.Marks+pending > 0 {
		return fmt.Errorf("%d open intents, %d marks and %d pending deliveries are left", s.Queue.OpenIntents, s.Queue.Marks, pending)
	}
	return nil
}

func askRamp(path string, into any) error {
	c := http.Client{Timeout: 10 * time.Second}
	response, err := c.Get("http://" + rampAdmin + "/webhooks/" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// sample starts the clock, and notes each second how much waits, and Caddy's memory, until
// the function that it returns is called.
func (w *witness) sample(module *process) (end func()) {
	w.mu.Lock()
	w.begun = time.Now()
	w.mu.Unlock()
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case at := <-tick.C:
				w.note(at.Add(-time.Second/2), module)
			}
		}
	})
	return func() {
		close(done)
		work.Wait()
	}
}

// note notes what waits now for the second in which a time is.
func (w *witness) note(at time.Time, module *process) {
	var status rampStatus
	err := askRamp("status", &status)
	memory := residentOf(strconv.Itoa(module.cmd.Process.Pid), "VmRSS")
	w.mu.Lock()
	defer w.mu.Unlock()
	second := w.second(at)
	second.Memory = memory
	if err == nil { // else a busy Caddy did not answer, and the next second tells
		second.Pending = status.Queue.Marks + status.Queue.PendingDeliveries[w.steady.name]
	}
}

// rest waits until nothing is left to do, several times in a row, as work that moves from
// one stage to the next could be counted in none. It returns how many exchanges are
// unresolved, and what is wrong.
func (w *witness) rest() (unresolved int, wrong []string) {
	const often = 10
	var err error
	for times, deadline := 0, time.Now().Add(rampRest); times < often && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var status rampStatus // an old one's maps would keep what is gone
		if err = askRamp("status", &status); err == nil {
			err = status.left()
		}
		if times++; err != nil {
			times = 0
		}
		unresolved = status.Queue.Unresolved
	}
	if err != nil {
		wrong = append(wrong, fmt.Sprintf("after %v: %v", rampRest, err))
	}
	var dead struct {
		Items []any `json:"items"`
	}
	if err := askRamp("deliveries?status=dead&limit=1", &dead); err != nil || len(dead.Items) > 0 {
		wrong = append(wrong, fmt.Sprintf("there are dead deliveries: %v %v", dead.Items, err))
	}
	return unresolved, wrong
}
