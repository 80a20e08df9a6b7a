// SPDX-License-Identifier: Apache-2.0

// Package browser tests the dashboard in a real Chromium, as those use it who look at it:
// with a mouse, with a keyboard alone, and without scripts. Whatever the page does that it
// must not (an error in the console, something that the content policy stops, a request to
// another host, what keeps somebody from using it) fails the test.
package browser

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// binary is the Caddy that is tested.
var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary, shared.stop) }

// patience is how long tests wait for what has to come: machines that run tests are busy.
const patience = 2 * time.Minute

// errNotYet is what tests wait to be over.
var errNotYet = errors.New("not yet")

// chromium is the browser of all tests, which starts with the first of them.
type chromium struct {
	once sync.Once
	ctx  context.Context // chromedp's handle of the browser
	end  context.CancelFunc
	err  error
}

var shared chromium

// programs are what Chromium is called.
var programs = []string{"chromium", "chromium-browser", "google-chrome"}

// start returns the browser's context. Where there is no browser, the test says so.
func (c *chromium) start(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range programs {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		t.Skip("NOT TESTED: Chromium is not installed; on Debian, `apt-get install chromium` does that")
	}
	c.once.Do(func() {
		// chromedp turns the sandbox off for root alone, who could not start it otherwise.
		allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(program), chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(1440, 900),
			chromedp.DisableGPU, chromedp.Flag("allow-pre-commit-input", true), // keys count before a page is drawn
			chromedp.Flag("hide-scrollbars", true), chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("lang", "en-GB"),
		)...)
		ctx, cancel := chromedp.NewContext(allocator)
		c.end = func() {
			soon, late := context.WithTimeout(ctx, 10*time.Second)
			defer late()
			_ = chromedp.Cancel(soon) // or it is killed
			cancel()
			stop()
		}
		c.ctx = ctx
		c.err = chromedp.Do(ctx)
	})
	if c.err != nil {
		t.Fatalf("starting Chromium: %v", c.err)
	}
	return c.ctx
}

// stop ends the browser, if it has started.
func (c *chromium) stop() {
	if c.end != nil {
		c.end()
	}
}

// eventually waits until a condition returns no error.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
		time.Sleep(20 * time.Millisecond) // polling another process
	}
}
