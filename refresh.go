// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
)

// filesEvery is how often the files are looked at that the configuration names.
// Tests set it.
var filesEvery = 2 * time.Second

// refresher keeps a configuration at work with what its files hold now.
type refresher struct {
	app    *App
	cancel context.CancelFunc
	done   chan struct{}
}

// startRefreshing looks at the app's files until [refresher.stop], if it has any.
func (a *App) startRefreshing() {
	if a.files.none() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.refresher = &refresher{app: a, cancel: cancel, done: make(chan struct{})}
	go a.refresher.run(ctx)
}

// stop ends the looking. It is idempotent, and nil has nothing to end.
func (r *refresher) stop() {
	if r != nil {
		r.cancel()
		<-r.done
	}
}

func (r *refresher) run(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(filesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if changed := r.app.files.changed(); len(changed) > 0 {
				r.app.refresh(changed)
			}
		}
	}
}

// refresh puts what changed files hold to work. What cannot be used is told once, and
// the secrets from before stay until the file changes again.
func (a *App) refresh(changed []string) {
	next, err := a.refreshed()
	if err != nil {
		// Some may not have been read, for the error of an earlier one.
		for _, name := range changed {
			a.files.note(name)
		}
		a.log.Error("a file that the configuration names has changed and cannot be used: what was read before stays; mend the file, and it is read again",
			zap.Strings("files", changed), zap.Error(err))
		return
	}
	a.pipeline.Replace(a.config, next)
	a.config = next
	a.log.Info("a file that the configuration names has changed, and was read again", zap.Strings("files", changed))
}

// refreshed returns the configuration at work with what its files hold now.
func (a *App) refreshed() (*pipeline.Config, error) {
	declared, err := a.declareEndpoints(a.transport.Load())
	if err != nil {
		return nil, err
	}
	next := *a.config
	if next.Keys, err = a.secretsKeys(); err != nil {
		return nil, err
	}
	next.Endpoints, next.Callbacks = declared.endpoints, maps.Clone(a.config.Callbacks)
	for resource, e := range next.Callbacks {
		if made, is := declared.named[e.Name]; is {
			next.Callbacks[resource] = made
		}
	}
	return &next, nil
}
