// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// kindIdempotency is the kind of the records of requests with an Idempotency-Key.
const kindIdempotency = "idempotency"

const (
	// underWayFor is how long a request is thought to be under way whose process has
	// ended; answeredFor is how long its answer is kept.
	underWayFor = time.Minute
	answeredFor = 24 * time.Hour
	// maxIdempotencyKey limits the key, in bytes.
	maxIdempotencyKey = 255
)

// answered is what is kept of a request with an Idempotency-Key, sealed: its answer may
// have a secret.
type answered struct {
	// Request is a hash of the request.
	Request string `json:"request"`
	// Status is that of the answer, 0 while the request is under way.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"`
}

// pending is a request with an Idempotency-Key that is under way.
type pending struct {
	call    *call
	id      string
	request string
	// version is that of the record that says so.
	version uint64
	// kept is true once the answer was kept.
	kept bool
}

// once returns an action that is done once for an Idempotency-Key: a repeat gets the
// first answer. So who has lost the answer to a create still gets the secret.
func once(do action) action {
	return func(c *call) (*answer, error) {
		keys := c.r.Header.Values("Idempotency-Key")
		if len(keys) == 0 {
			return do(c)
		}
		if len(keys) > 1 || !isIdempotencyKey(keys[0]) {
			return nil, malformed.problem("Idempotency-Key is one value of 1 to %d visible characters", maxIdempotencyKey)
		}
		text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return nil, tooLarge.problem("the body has more than %d bytes", maxBody)
		case err != nil:
			return nil, malformed.problem("the body broke off")
		}
		c.r.Body = io.NopCloser(bytes.NewReader(text))
		p := &pending{call: c, id: hashed("key", c.caller.Tenant, keys[0]), request: hashed("request", c.r.Method, c.r.URL.Path, string(text))}
		if earlier, err := p.begin(); earlier != nil || err != nil {
			return earlier, err
		}
		c.pending = p
		// Who breaks off has not undone it.
		defer p.end(context.WithoutCancel(c.r.Context()))
		return do(c)
	}
}

func isIdempotencyKey(key string) bool {
	if len(key) == 0 || len(key) > maxIdempotencyKey {
		return false
	}
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return false
		}
	}
	return true
}

// hashed returns a hash of some texts, of each by itself.
func hashed(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// begin notes that the request is under way, or returns the answer to an earlier one.
func (p *pending) begin() (*answer, error) {
	c := p.call
	record, err := p.record(answered{Request: p.request}, 0, c.now.Add(underWayFor))
	if err != nil {
		return nil, err
	}
	for {
		p.version, err = c.store.Change(c.r.Context(), record)
		if !errors.Is(err, queue.ErrConflict) {
			return nil, err
		}
		kept, err := c.store.Record(c.r.Context(), kindIdempotency, p.id)
		if errors.Is(err, queue.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return p.earlier(kept)
	}
}

// earlier returns the answer that is kept.
func (p *pending) earlier(kept queue.Record) (*answer, error) {
	plain, _, err := p.call.book.Sealer.Open(kept.Value, p.associated())
	var was answered
	if err == nil {
		err = json.Unmarshal(plain, &was)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer to an earlier request: %w", err)
	case was.Request != p.request:
		return nil, keyReused.problem("it was sent with another body or path; use a new key for a new request")
	case was.Status == 0:
		return nil, underWay.retry(time.Second, "a request with this Idempotency-Key is not finished yet")
	}
	earlier := &answer{status: was.Status, header: was.Header}
	if was.Body != nil {
		earlier.body = was.Body
	}
	return earlier.set("Idempotency-Replayed", "true"), nil
}

// done returns the record that keeps the answer, to be written with what was done.
func (p *pending) done(a *answer) (queue.Record, error) {
	text, err := encode(a.body)
	if err != nil {
		return queue.Record{}, err
	}
	record, err := p.record(answered{p.request, a.status, a.header, text}, p.version, p.call.now.Add(answeredFor))
	if err == nil && len(record.Value) > queue.MaxRecord {
		err = &subscribers.FieldError{Detail: "it is too large for its answer to be kept", Remedy: "use fewer headers and metadata, or leave out Idempotency-Key"}
	}
	p.kept = err == nil
	return record, err
}

func (p *pending) record(state answered, version uint64, expires time.Time) (queue.Record, error) {
	plain, err := encode(state)
	if err != nil {
		return queue.Record{}, err
	}
	return queue.Record{
		Kind: kindIdempotency, ID: p.id, Owner: p.call.caller.Tenant, Version: version, Expires: expires,
		Value: p.call.book.Sealer.Seal(plain, p.associated()),
	}, nil
}

func (p *pending) associated() []byte { return []byte("idempotency\x00" + p.id) }

// end forgets a request that was not done, so that it can be made again, put right.
// What was kept has another version, and stays.
func (p *pending) end(ctx context.Context) {
	_, err := p.call.store.Change(ctx, queue.Record{Kind: kindIdempotency, ID: p.id, Version: p.version})
	if err != nil && !errors.Is(err, queue.ErrConflict) {
		p.call.options.Log.Debug("an Idempotency-Key stays under way for a minute", zap.Error(err))
	}
}
