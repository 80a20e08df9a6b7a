// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/internal/faults"
)

// hostileMemory limits how much the heap may grow during an attempt, in bytes,
// whatever the receiver sends: this includes the queue, the emitter, the
// hostile receiver itself, TLS and garbage that is not collected yet. Floods
// send as much as the machine can within an attempt's time, so the amount that
// is allocated and released at once says nothing.
const hostileMemory = 24 << 20

// heapPeak is the largest heap seen while it watches.
type heapPeak struct {
	start, most uint64
	end, done   chan struct{}
}

func watchHeap() *heapPeak {
	runtime.GC()
	p := &heapPeak{start: heapNow(), end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			p.most = max(p.most, heapNow())
			select {
			case <-ticker.C:
			case <-p.end:
				return
			}
		}
	}()
	return p
}

// grown ends the watch, and returns how much the heap grew.
func (p *heapPeak) grown() uint64 {
	close(p.end)
	<-p.done
	return p.most - min(p.most, p.start)
}

func heapNow() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// outcomeOf is the recorded outcome of an attempt.
type outcomeOf struct {
	code  int
	error string
	// slow attempts take the whole timeout, others far less.
	slow bool
}

const (
	beforeAnswer = "timed out before an answer came"
	withinAnswer = "timed out before the answer was complete"
	brokeOff     = "the answer broke off"
	tooLarge     = "the answer's headers are too large"
	closedWords  = "the receiver closed the connection without an answer"
	resetWords   = "the receiver reset the connection"
	notHTTP      = "the answer is not valid HTTP"
	streamWords  = "the receiver broke off the HTTP/2 stream"
	redirected   = "; redirects are not followed"
)

// hostile holds the recorded outcome of each way to misbehave. An attempt is
// delivered if its error is empty.
var hostile = map[string]outcomeOf{
	"nobody listens":                      {0, "connection refused", false},
	"resets at once":                      {0, resetWords, false},
	"resets instead of an answer":         {0, resetWords, false},
	"closes instead of an answer":         {0, closedWords, false},
	"accepts and does nothing":            {0, beforeAnswer, true},
	"hangs before the answer":             {0, beforeAnswer, true},
	"hangs within the status":             {0, beforeAnswer, true},
	"hangs within the headers":            {0, beforeAnswer, true},
	"hangs within the body":               {200, withinAnswer, true},
	"hangs within a chunk":                {200, withinAnswer, true},
	"hangs instead of the last chunk":     {200, withinAnswer, true},
	"drips the headers":                   {0, beforeAnswer, true},
	"drips the body":                      {200, withinAnswer, true},
	"drips the body of a failure":         {500, withinAnswer, true},
	"drips interim answers":               {0, beforeAnswer, true},
	"endless body":                        {200, "", false},
	"endless body of a failure":           {500, "answered 500 Internal Server Error", false},
	"endless chunks":                      {200, "", false},
	"endless chunk extension":             {200, brokeOff, false},
	"endless trailers":                    {200, brokeOff, false},
	"endless headers":                     {0, tooLarge, false},
	"an endless header":                   {0, tooLarge, false},
	"endless status":                      {0, tooLarge, false},
	"endless interim answers":             {0, tooLarge, false},
	"a body of all lengths":               {200, withinAnswer, true},
	"two lengths":                         {0, notHTTP, false},
	"a chunk that overflows":              {200, brokeOff, false},
	"cuts the body":                       {200, brokeOff, false},
	"cuts a body without a length":        {200, "", false},
	"cuts the chunks":                     {200, brokeOff, false},
	"resets within the body":              {200, resetWords + " before the answer was complete", false},
	"answers twice":                       {200, "", false},
	"answers before it has read the body": {204, "", false},
	"switches protocols":                  {101, "answered 101 Switching Protocols", false},
	"speaks SMTP":                         {0, notHTTP, false},
	"speaks in bytes":                     {0, notHTTP, false},
	"a status of its own":                 {799, "answered 799", false},
	"a compressed body":                   {200, "", false},
	"not modified":                        {304, "answered 304 Not Modified" + redirected, false},
	"redirects inward with 301":           {301, "answered 301 Moved Permanently" + redirected, false},
	"redirects inward with 302":           {302, "answered 302 Found" + redirected, false},
	"redirects inward with 303":           {303, "answered 303 See Other" + redirected, false},
	"redirects inward with 307":           {307, "answered 307 Temporary Redirect" + redirected, false},
	"redirects inward with 308":           {308, "answered 308 Permanent Redirect" + redirected, false},

	"a certificate for another":       {0, "TLS: the certificate is not for 127.0.0.1", false},
	"a certificate that has expired":  {0, "TLS: the certificate has expired or is not valid yet", false},
	"a certificate of tomorrow":       {0, "TLS: the certificate has expired or is not valid yet", false},
	"a certificate by a stranger":     {0, "TLS: the certificate is signed by an unknown authority", false},
	"TLS of long ago":                 {0, "TLS: the receiver refused the handshake: protocol version not supported", false},
	"asks for our certificate":        {0, "TLS: the receiver refused the handshake: certificate required", false},
	"resets TLS instead of an answer": {0, resetWords, false},
	"endless body in TLS":             {200, "", false},
	// Without a length, the end of the connection is the end of the body, and
	// many servers end it without the farewell that TLS requires. An attacker
	// who cuts the connection could not have made the status, and only that
	// counts.
	"cuts TLS within the body":                 {200, "", false},
	"cuts TLS within the headers":              {0, closedWords, false},
	"cuts TLS within a body that has a length": {200, brokeOff, false},
	"cuts TLS between chunks":                  {200, brokeOff, false},

	"no TLS":                               {0, "TLS: the receiver does not speak it on this port", false},
	"hangs within the handshake":           {0, beforeAnswer, true},
	"endless bytes instead of a handshake": {0, "TLS: the receiver does not speak it on this port", false},
	"resets within the handshake":          {0, resetWords, false},

	"h2: goes away before an answer":         {0, streamWords, false},
	"h2: goes away and hangs":                {0, beforeAnswer, true},
	"h2: goes away within the body":          {200, brokeOff, false},
	"h2: refuses the stream":                 {0, beforeAnswer, true}, // it may be sent again, and is
	"h2: resets the stream":                  {0, streamWords, false},
	"h2: resets the stream within the body":  {200, brokeOff, false},
	"h2: resets the stream after the answer": {200, "", false},
	"h2: closes instead of an answer":        {0, closedWords, false},
	"h2: hangs before the answer":            {0, beforeAnswer, true},
	"h2: hangs within the body":              {200, withinAnswer, true},
	"h2: says nothing at all":                {0, beforeAnswer, true},
	"h2: gives no window":                    {0, beforeAnswer, true},
	"h2: endless body":                       {200, "", false},
	"h2: endless continuation":               {0, "the HTTP/2 connection failed", false},
	"h2: huge headers":                       {0, "the HTTP/2 connection failed", false},
	"h2: endless interim answers":            {0, tooLarge, false},
	"h2: endless pings":                      {0, beforeAnswer, true},
	"h2: endless settings":                   {0, beforeAnswer, true},
	"h2: speaks HTTP/1.1":                    {0, streamWords, false},
}

// TestHostileReceivers plays everything that a receiver can do, over real
// sockets: each attempt ends with the right outcome within its time, uses no
// memory for it, and reveals nothing that the receiver said.
func TestHostileReceivers(t *testing.T) {
	all := faults.All()
	spoken := len(all)
	all = append(all, faults.BelowTLS()...)
	if len(all) != len(hostile) {
		t.Errorf("there are %d faults and %d outcomes", len(all), len(hostile))
	}
	for i, fault := range all {
		t.Run(fault.Name, func(t *testing.T) {
			want, ok := hostile[fault.Name]
			if !ok {
				t.Fatal("no outcome is listed for this fault")
			}
			server, err := faults.Start(fault, faults.Options{Step: 10 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			url := server.URL
			if i >= spoken {
				url = strings.Replace(url, "http:", "https:", 1)
			}
			timeout := longTimeout
			if want.slow {
				timeout = shortTimeout
			}
			transport := newTransport(t, loopback, egress.Options{RootCAs: server.RootCAs})

			heap := watchHeap()
			attempt, logged := deliverOnce(t, transport, url, timeout)
			grown := heap.grown()

			checkAttempt(t, attempt, logged, want.code, want.error)
			if want.slow && attempt.Duration < shortTimeout {
				t.Errorf("it took only %s", attempt.Duration)
			}
			if grown > hostileMemory {
				t.Errorf("the heap grew by %d KiB", grown>>10)
			}
		})
	}
}
