// SPDX-License-Identifier: Apache-2.0

//go:build linux

package strangers

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const notifies = "resource items {\n notify url request:notify\n }"

// A receiver that a confirmed create has named stays, whoever names another.
func TestReceiverStays(t *testing.T) {
	t.Parallel()
	inbox, api := newInbox(t, nil), newObjects()
	s := newSite(t, api, inbox, parts{rules: notifies})
	s.Start(t)
	naming := func(path string) string { return fmt.Sprintf(`{"notify":"%s%s"}`, inbox.URL, path) }
	api.put("/items/old", `{}`)

	s.do(t, "POST", "/items", naming("/rightful"), http.StatusCreated)
	s.told(t, "/rightful", "items/1", "items.created")
	s.breakOff(t, "PATCH", "/items/1", naming("/thief"))
	s.breakOff(t, "DELETE", "/items/1", naming("/thief"))
	s.breakOff(t, "PUT", "/items/old", naming("/thief"))
	s.breakOff(t, "POST", "/items", naming("/thief"))
	s.do(t, "PATCH", "/items/1", `{"refused":true,"notify":"`+inbox.URL+`/thief"}`, http.StatusForbidden)
	s.do(t, "POST", "/items/1", naming("/thief"), http.StatusCreated)
	s.do(t, "PATCH", "/items/1", naming("/thief"), http.StatusNoContent)
	s.do(t, "PUT", "/items/old", naming("/thief"), http.StatusNoContent)
	s.told(t, "/all", "items/old", "items.updated")
	s.settled(t)
	s.told(t, "/rightful", "items/1", "items.created", "items.updated")
	if got := inbox.got("/thief"); len(got) > 0 {
		t.Errorf("the thief got %+v", got)
	}
	s.Stop(t)
}

// hang is a server on all addresses of the machine that accepts connections, and never
// answers.
func hang(t *testing.T) (port int) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = connection.Close() })
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// Hundreds of receivers that hang, each on its own host, do not hold up one that answers.
func TestHangingReceivers(t *testing.T) {
	t.Parallel()
	const hanging = 700
	inbox, api := newInbox(t, nil), newObjects()
	s := newSite(t, api, inbox, parts{rules: notifies})
	s.Start(t)
	port := hang(t)
	s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"%s/known"}`, inbox.URL), http.StatusCreated)
	s.told(t, "/known", "items/1", "items.created")
	for i := range hanging {
		body := fmt.Sprintf(`{"notify":"http://127.7.%d.%d:%d/"}`, i/250, 1+i%250, port)
		s.do(t, "POST", "/items", body, http.StatusCreated)
	}
	s.do(t, "PATCH", "/items/1", `{"n":2}`, http.StatusNoContent)
	s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"%s/new"}`, inbox.URL), http.StatusCreated)
	// A minute each, by told: all who hang together would take ten times as long.
	s.told(t, "/known", "items/1", "items.created", "items.updated")
	s.told(t, "/new", fmt.Sprintf("items/%d", hanging+2), "items.created")
	s.healthy(t)
	s.Kill() // who hangs is still being asked
}

// A receiver of a gateway that asks for an hour's rest, or fails, speaks for itself.
func TestGateway(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/gateway/rests"):
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasPrefix(r.URL.Path, "/gateway/fails"):
			w.WriteHeader(http.StatusInternalServerError)
		default:
			return false
		}
		return true
	})
	s := newSite(t, newObjects(), inbox, parts{rules: notifies})
	s.Start(t)
	for i := range 20 {
		s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"%s/gateway/rests%d"}`, inbox.URL, i), http.StatusCreated)
		s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"%s/gateway/fails%d"}`, inbox.URL, i), http.StatusCreated)
	}
	s.Eventually(t, "all who rest or fail are asked", time.Minute, func() error {
		if got := inbox.got("/gateway"); len(got) < 40 {
			return fmt.Errorf("%d are", len(got))
		}
		return nil
	})
	s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"%s/gateway/answers"}`, inbox.URL), http.StatusCreated)
	s.told(t, "/gateway/answers", "items/41", "items.created")
	s.healthy(t)
	s.Kill()
}

// What listens on all addresses is ours on all: a receiver at another of the machine's
// addresses is the API, or Caddy itself.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	inbox, api := newInbox(t, nil), newObjects()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	posted := make(chan string, 100)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Webhook-Id") != "" {
			posted <- r.Host
		}
		api.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	port := listener.Addr().(*net.TCPAddr).Port
	s := newSiteOf(t, fmt.Sprintf("127.0.0.1:%d", port), inbox, parts{rules: notifies})
	s.Start(t)
	_, sitePort, _ := net.SplitHostPort(s.Site())
	_, adminPort, _ := net.SplitHostPort(s.Admin())
	names := []string{
		fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.2:%d", port), fmt.Sprintf("127.200.3.4:%d", port),
		fmt.Sprintf("localhost:%d", port), fmt.Sprintf("[::ffff:127.0.0.3]:%d", port), fmt.Sprintf("0.0.0.0:%d", port),
		"127.0.0.1:" + sitePort, "127.0.0.1:" + adminPort,
	}
	for i, name := range names {
		s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"http://%s/items/"}`, name), http.StatusCreated)
		s.told(t, "/all", fmt.Sprintf("items/%d", i+1), "items.created")
	}
	s.do(t, "POST", "/items", fmt.Sprintf(`{"notify":"%s/other"}`, inbox.URL), http.StatusCreated)
	s.told(t, "/other", fmt.Sprintf("items/%d", len(names)+1), "items.created")
	s.Eventually(t, "all deliveries have been tried", time.Minute, func() error {
		var list struct {
			Items []struct {
				Attempts int `json:"attempts"`
			} `json:"items"`
		}
		if err := s.Ask("/webhooks/deliveries?endpoint=notify.items&status=pending&limit=100", &list); err != nil {
			return err
		}
		for _, d := range list.Items {
			if d.Attempts == 0 {
				return errors.New("one has not")
			}
		}
		return nil
	})
	select {
	case host := <-posted:
		t.Errorf("the API got a delivery, sent to %s", host)
	default:
	}
	s.Kill()
}
