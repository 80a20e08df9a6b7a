// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tokenServer is a transport that answers like a token endpoint.
type tokenServer struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	// answer answers the nth request, from 1.
	answer func(ctx context.Context, n int) (int, string, error)
}

func (s *tokenServer) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests, s.bodies = append(s.requests, request), append(s.bodies, string(body))
	n := len(s.requests)
	s.mu.Unlock()
	code, text, err := s.answer(request.Context(), n)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}, "Location": {"https://elsewhere.example/"}},
		Body: io.NopCloser(strings.NewReader(text)), Request: request,
	}, nil
}

func (s *tokenServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// hourly hands out a new token each time, for an hour.
func hourly(_ context.Context, n int) (int, string, error) {
	return 200, fmt.Sprintf(`{"access_token":"token%d","token_type":"bearer","expires_in":3600}`, n), nil
}

func newClient(t *testing.T, change func(*Client)) Authenticator {
	t.Helper()
	client := Client{ID: "the client", Secret: "s:e/cret", TokenURL: "https://login.example/canary-path"}
	if change != nil {
		change(&client)
	}
	return must(t)(ClientCredentials(client))
}

func authorization(t *testing.T, a Authenticator, s *tokenServer) string {
	t.Helper()
	header := http.Header{}
	if err := a.Authenticate(t.Context(), s, header); err != nil {
		t.Fatal(err)
	}
	return header.Get("Authorization")
}

func TestTokenRequest(t *testing.T) {
	s := &tokenServer{answer: hourly}
	params := func(c *Client) {
		c.Scopes, c.Params = []string{"hooks:write", "other"}, map[string]string{"audience": "https://erp.example.com/"}
	}
	if got := authorization(t, newClient(t, params), s); got != "Bearer token1" {
		t.Errorf("got %q", got)
	}
	// RFC 6749, section 2.3.1: both are form-encoded before they are joined.
	if user, password, ok := s.requests[0].BasicAuth(); !ok || user != "the+client" || password != "s%3Ae%2Fcret" {
		t.Errorf("the client's credentials are %q %q", user, password)
	}
	if want := "audience=https%3A%2F%2Ferp.example.com%2F&grant_type=client_credentials&scope=hooks%3Awrite+other"; s.bodies[0] != want {
		t.Errorf("the request is %q, want %q", s.bodies[0], want)
	}
	authorization(t, newClient(t, func(c *Client) { c.InBody = true }), s)
	if _, _, ok := s.requests[1].BasicAuth(); ok || s.bodies[1] != "client_id=the+client&client_secret=s%3Ae%2Fcret&grant_type=client_credentials" {
		t.Errorf("in the body: %q", s.bodies[1])
	}
}

// TestTokenIsKept requests another token only when the token expires, or was
// rejected.
func TestTokenIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenServer{answer: hourly}
		a := newClient(t, nil)
		expect := func(want string) {
			t.Helper()
			if got := authorization(t, a, s); got != "Bearer "+want {
				t.Errorf("got %q, want %s", got, want)
			}
		}
		expect("token1")
		time.Sleep(time.Hour - expiryMargin - time.Second)
		expect("token1")
		time.Sleep(time.Second)
		expect("token2")

		// A receiver that rejects every token must not cost a token each time.
		a.Rejected(http.Header{"Authorization": {"Bearer token2"}})
		expect("token2")
		time.Sleep(rejectAfter)
		a.Rejected(http.Header{"Authorization": {"Bearer token1"}})
		expect("token2")
		a.Rejected(http.Header{"Authorization": {"Bearer token2"}})
		expect("token3")
	})
}

func TestTokenWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenServer{answer: func(context.Context, int) (int, string, error) {
			return 200, `{"access_token":"token","token_type":"Bearer"}`, nil
		}}
		a := newClient(t, nil)
		authorization(t, a, s)
		time.Sleep(1000 * time.Hour)
		authorization(t, a, s)
		if s.asked() != 1 {
			t.Errorf("%d requests", s.asked())
		}
	})
}

// TestManyAttemptsAskOnce has many attempts need a token at once, first from a
// server that is slow, and then from one that fails.
func TestManyAttemptsAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := false
		s := &tokenServer{}
		s.answer = func(ctx context.Context, n int) (int, string, error) {
			time.Sleep(2 * time.Second)
			if failing {
				return 503, "", nil
			}
			return hourly(ctx, n)
		}
		a := newClient(t, nil)
		all := func() (failed int) {
			var group sync.WaitGroup
			var mu sync.Mutex
			for range 50 {
				group.Go(func() {
					if err := a.Authenticate(t.Context(), s, http.Header{}); err != nil {
						mu.Lock()
						defer mu.Unlock()
						failed++
					}
				})
			}
			group.Wait()
			return failed
		}
		if failed := all(); failed != 0 || s.asked() != 1 {
			t.Errorf("%d failed, %d requests", failed, s.asked())
		}
		failing = true
		time.Sleep(time.Hour)
		if failed := all(); failed != 50 || s.asked() != 2 {
			t.Errorf("%d failed, %d requests", failed, s.asked())
		}
		failing = false
		time.Sleep(failurePause)
		if failed := all(); failed != 0 || s.asked() != 3 {
			t.Errorf("%d failed, %d requests", failed, s.asked())
		}
	})
}

// TestTokenServerThatHangs holds up no caller beyond its own timeout, and the
// failure of a caller that was cancelled does not count for the next.
func TestTokenServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenServer{answer: func(ctx context.Context, n int) (int, string, error) {
			if n > 1 {
				return hourly(ctx, n)
			}
			<-ctx.Done()
			return 0, "", ctx.Err()
		}}
		a := newClient(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if err := a.Authenticate(ctx, s, http.Header{}); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := a.Authenticate(short, s, http.Header{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting: %v", err)
			}
		})
		time.Sleep(2 * time.Second)
		cancel()
		group.Wait()
		if got := authorization(t, a, s); got != "Bearer token2" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

// TestTokenFailures describes what went wrong in words that quote nothing.
func TestTokenFailures(t *testing.T) {
	for _, test := range []struct {
		name string
		code int
		text string
		err  error
		want string
	}{
		{"refused", 401, `{"error":"invalid_client","error_description":"canary"}`, nil, "OAuth 2.0: the token endpoint answered 401 Unauthorized (invalid_client)"},
		{"an odd error", 400, `{"error":"canary <script> \n"}`, nil, "OAuth 2.0: the token endpoint answered 400 Bad Request"},
		{"no JSON", 500, `canary`, nil, "OAuth 2.0: the token endpoint answered 500 Internal Server Error"},
		{"a redirect", 307, ``, nil, "OAuth 2.0: the token endpoint answered 307 Temporary Redirect"},
		{"an answer of no JSON", 200, `canary`, nil, "OAuth 2.0: the answer has no usable token"},
		{"no token", 200, `{"canary":"canary"}`, nil, "OAuth 2.0: the answer has no usable token"},
		{"a token that is no header", 200, `{"access_token":"canary\r\nX: y"}`, nil, "OAuth 2.0: the answer has no usable token"},
		{"a huge token", 200, `{"access_token":"` + strings.Repeat("canary", 3000) + `"}`, nil, "OAuth 2.0: the answer has no usable token"},
		{"no answer", 0, "", errors.New("canary"), "OAuth 2.0: no token could be asked for"},
	} {
		s := &tokenServer{answer: func(context.Context, int) (int, string, error) { return test.code, test.text, test.err }}
		err := newClient(t, nil).Authenticate(t.Context(), s, http.Header{})
		var failed *TokenError
		if !errors.As(err, &failed) || err.Error() != test.want || (test.err != nil) != errors.Is(err, test.err) {
			t.Errorf("%s: got %v", test.name, err)
		}
		if s.asked() != 1 {
			t.Errorf("%s: %d requests", test.name, s.asked())
		}
	}
}
