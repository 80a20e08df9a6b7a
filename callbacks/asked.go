// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Answered is what the API answered about a caller.
type Answered struct {
	Status int
	Header http.Header
	Body   []byte
}

// Asker knows callers by asking the API who they are, with their own credential. The
// API's answer is remembered for some seconds, under a keyed hash of the credential,
// and nothing is stored.
type Asker struct {
	// Ask sends a request for a path to the API, with nothing of the caller's but its
	// credential.
	Ask func(ctx context.Context, caller *http.Request, path string, credential http.Header) (Answered, error)
	// Path is that of the request. Its :names stand for the path values of the caller's.
	Path string
	// Tenant is the path of the tenant in the answer. With Shared, all whom the API
	// answers with success are the one tenant "", who has the events of all objects.
	// With neither, the tenant is the path value of that name, of which the API is asked.
	Tenant string
	Shared bool
	// Now is the clock.
	Now func() time.Time

	mu    sync.Mutex
	key   [32]byte
	known map[[sha256.Size]byte]remembered
}

type remembered struct {
	tenant string
	until  time.Time
}

const (
	// rememberFor is how long the API's answer holds: as long may someone go on whom
	// the API has locked out.
	rememberFor = 10 * time.Second
	// maxRemembered limits the memory of answers.
	maxRemembered = 10_000
	// askTimeout limits the API's answer.
	askTimeout = 10 * time.Second
)

// credentials are the headers in which a caller may have one.
var credentials = []string{"Authorization", "Cookie"}

// Authorize implements [Authorize].
func (a *Asker) Authorize(r *http.Request, _ queue.Store) (Caller, error) {
	credential := make(http.Header)
	for _, name := range credentials {
		if values := r.Header.Values(name); len(values) > 0 {
			credential[name] = values
		}
	}
	if len(credential) == 0 {
		return Caller{}, ErrNobody
	}
	path, err := shape.Fill(a.Path, r.PathValue)
	if err != nil {
		return Caller{}, errUnseen // the API is not asked what it could take for something else
	}
	hash := a.hash(r.Host, path, credential)
	if tenant, known := a.recall(hash); known {
		return a.caller(tenant), nil
	}
	if isHeld(r) {
		return Caller{}, ErrRefused
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	answered, err := a.Ask(ctx, r, path, credential)
	if err != nil {
		return Caller{}, unavailable.retry(queueRetry, "the API did not answer who you are")
	}
	tenant, err := a.read(answered, r.PathValue(shape.NameTenant))
	if err != nil {
		return Caller{}, err
	}
	a.remember(hash, tenant)
	return a.caller(tenant), nil
}

func (a *Asker) caller(tenant string) Caller {
	if a.Shared {
		return Caller{Name: "a caller of the API"}
	}
	return Caller{Tenant: tenant, Name: "tenant " + tenant}
}

// read returns the tenant that an answer names, or that the API was asked about.
func (a *Asker) read(answered Answered, asked string) (string, error) {
	switch status := answered.Status; {
	case status == http.StatusUnauthorized:
		return "", &challenged{ErrRefused, answered.Header.Values("WWW-Authenticate")}
	case status >= 500, status == http.StatusTooManyRequests:
		return "", unavailable.retry(queueRetry, "the API did not answer who you are")
	case status < 200 || status > 299:
		return "", errUnseen
	case a.Shared:
		return "", nil
	case a.Tenant == "" && isTenant(asked):
		return asked, nil
	case a.Tenant == "":
		return "", errUnseen
	}
	found := gjson.GetBytes(answered.Body, a.Tenant)
	tenant := ""
	switch {
	case !gjson.ValidBytes(answered.Body):
	case found.Type == gjson.String:
		tenant = found.Str
	case found.Type == gjson.Number:
		tenant = found.Raw
	}
	if !isTenant(tenant) {
		return "", errUnseen
	}
	return tenant, nil
}

// isTenant reports whether a text can name a tenant. None is the operator.
func isTenant(text string) bool {
	return text != "" && len(text) <= queue.MaxRecordOwner && !strings.ContainsFunc(text, unicode.IsControl)
}

// challenged is a refusal of the API's, with what it asks for.
type challenged struct {
	error
	with []string
}

// Unwrap returns [ErrRefused].
func (e *challenged) Unwrap() error { return e.error }

// errUnseen is returned for a credential by which nothing can be seen here.
var errUnseen = fmt.Errorf("%w: nothing is there for its holder", ErrRefused)

// hash returns a keyed hash of a credential, and of what the API is asked with it.
func (a *Asker) hash(host, path string, credential http.Header) [sha256.Size]byte {
	a.mu.Lock()
	if a.known == nil {
		a.known = make(map[[sha256.Size]byte]remembered)
		_, _ = rand.Read(a.key[:]) // it never fails
	}
	key := a.key
	a.mu.Unlock()
	h := hmac.New(sha256.New, key[:])
	fmt.Fprintf(h, "%d:%s%d:%s", len(host), host, len(path), path)
	for _, name := range credentials {
		values := credential[name]
		fmt.Fprintf(h, "%d;", len(values))
		for _, value := range values {
			fmt.Fprintf(h, "%d:%s", len(value), value)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (a *Asker) recall(hash [sha256.Size]byte) (tenant string, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, known := a.known[hash]
	if !known || !a.Now().Before(found.until) {
		return "", false
	}
	return found.tenant, true
}

func (a *Asker) remember(hash [sha256.Size]byte, tenant string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.Now()
	if len(a.known) >= maxRemembered {
		a.forget(now)
	}
	a.known[hash] = remembered{tenant, now.Add(rememberFor)}
}

// forget forgets what has ended, and if that is little, others: they are asked again. It
// forgets many at once, since it looks at all. The caller holds the lock.
func (a *Asker) forget(now time.Time) {
	for hash, found := range a.known {
		if !now.Before(found.until) {
			delete(a.known, hash)
		}
	}
	for hash := range a.known {
		if len(a.known) <= maxRemembered*3/4 {
			return
		}
		delete(a.known, hash)
	}
}

// Surrounding knows callers by what the server around this one has found out: tenant
// returns the caller's tenant, "" for nobody.
func Surrounding(tenant func(r *http.Request) (string, error)) Authorize {
	return func(r *http.Request, _ queue.Store) (Caller, error) {
		name, err := tenant(r)
		switch {
		case err != nil:
			return Caller{}, fmt.Errorf("finding out who asks: %w", err)
		case name == "":
			return Caller{}, ErrNobody
		case !isTenant(name):
			return Caller{}, ErrRefused
		}
		return Caller{Tenant: name, Name: "tenant " + name}, nil
	}
}
