// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bombs are small bodies that cost very much to read.
func bombs() map[string]struct{ kind, body string } {
	return map[string]struct{ kind, body string }{
		"elements":        {mediaXML, "<a>" + strings.Repeat("<b/>", 1<<18-8) + "</a>"},
		"elements in few": {mediaXML, "<a>" + strings.Repeat("<b></b>", 1<<17) + "</a>"},
		"attributes":      {mediaXML, "<a>" + strings.Repeat(`<b c="" d=""/>`, 1<<16) + "</a>"},
		"levels":          {mediaXML, strings.Repeat("<a>", 120) + strings.Repeat("</a>", 120)},
		"brackets":        {mediaForm, strings.Repeat("f"+strings.Repeat("[a]", 31)+"=1&", 9999)},
		"other brackets":  {mediaForm, strings.Repeat("f[x][y][z]=1&g=&", 9999)},
		"fields":          {mediaForm, strings.Repeat("a=&", 9999)},
		"text":            {mediaXML, "<a>" + strings.Repeat("&lt;", 1<<18-8) + "</a>"},
		"parts":           {mediaMultipart + "; boundary=b", strings.Repeat("--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n", 9999) + "--b--"},
	}
}

func zip(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Forty bombs at a time stay within the budget, as far as the garbage collector does.
func TestBombs(t *testing.T) {
	for name, bomb := range bombs() {
		raw := zip(t, bomb.body)
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		var work sync.WaitGroup
		for range 40 {
			work.Go(func() {
				_, err := Read(raw, "gzip", bomb.kind, 1<<20)
				if err != nil && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrBusy) && !errors.Is(err, errMixedForm) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		done := make(chan struct{})
		go func() { work.Wait(); close(done) }()
		var peak uint64
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-time.After(time.Millisecond):
			}
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}
		t.Logf("%s: %d bytes, zipped %d: %d MiB at most", name, len(bomb.body), len(raw), peak>>20)
		if peak > 3*Budget {
			t.Errorf("%s: %d MiB", name, peak>>20)
		}
	}
}

// No work begins that the budget has no room for; what waits too long is not read, and a
// request that waits does not stop the reading of answers.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		raw := zip(t, `{"a":1}`)
		all := func() error {
			if _, err := Read(raw, "gzip", "application/json", 1<<20); !errors.Is(err, ErrBusy) {
				t.Errorf("read while the budget is spent: %v", err)
			}
			if waited := time.Since(begun); waited != turnTimeout {
				t.Errorf("waited for %s", waited)
			}
			if _, err := Decode(raw, "gzip"); err != nil {
				t.Errorf("an answer waits for requests: %v", err)
			}
			return nil
		}
		if err := ofRequests.spend(1<<40, all); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(raw, "gzip", "application/json", 1<<20); err != nil {
			t.Errorf("the budget is not given back: %v", err)
		}
	})
}

// Reading costs no more than was charged for it.
func TestCost(t *testing.T) {
	for name, bomb := range bombs() {
		plain := []byte(bomb.body)
		cost := parsingCost(plain, bomb.kind)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, _ = normalise(plain, bomb.kind)
		runtime.ReadMemStats(&after)
		// Some of what is allocated is garbage at once: the tokens of XML, and the
		// headers of parts.
		if got := after.TotalAlloc - before.TotalAlloc; got > 3*uint64(cost) {
			t.Errorf("%s: %d bytes, and %d were charged", name, got, cost)
		}
	}
}
