// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// virtualHosts is an API that answers by the name under which it is asked, as a web
// server with virtual hosts does: each has objects of its own, and whoever asks under
// another name gets the page of the default host, with 200.
type virtualHosts struct {
	t     *testing.T
	mu    sync.Mutex
	names []string
	https bool // whoever comes without TLS is sent away
	state map[string]string
	asked []string // how Shows were asked for
}

func (v *virtualHosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = r.Host
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if r.Header.Get("User-Agent") == "caddy-webhooks" {
		v.asked = append(v.asked, fmt.Sprintf("%s %s %s", r.Header.Get("X-Forwarded-Proto"), name, r.URL.Path))
	}
	known := false
	for _, own := range v.names {
		known = known || own == name || strings.HasPrefix(own, "*") && strings.HasSuffix(name, own[1:])
	}
	switch {
	case !known:
		_, _ = io.WriteString(w, "<h1>It works!</h1>")
	case v.https && r.Header.Get("X-Forwarded-Proto") != "https":
		w.Header().Set("Location", "https://"+name+r.URL.Path)
		w.WriteHeader(http.StatusMovedPermanently)
	case r.Method == http.MethodGet && v.state[name+r.URL.Path] == "":
		http.NotFound(w, r)
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, v.state[name+r.URL.Path])
	default:
		v.state[name+r.URL.Path] = string(body)
		_, _ = w.Write(body)
	}
}

// newVirtualHosts returns a stage whose API has virtual hosts.
func newVirtualHosts(t *testing.T, names ...string) (*stage, *virtualHosts) {
	t.Helper()
	s := newStage(t)
	v := &virtualHosts{t: t, names: names, state: make(map[string]string)}
	s.api.Config.Handler = v
	return s, v
}

// siteOf returns the stage's configuration for a site of another name.
func (s *stage) siteOf(site, global, lines string) string {
	_, port, _ := net.SplitHostPort(s.address)
	return strings.Replace(s.config("", lines), "http://"+s.address+" {", strings.ReplaceAll(site, "PORT", port)+" {\nbind 127.0.0.1\n"+global, 1)
}

// as sends a request under a name.
func (s *stage) as(host, method, path, body string, header ...string) {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host, r.Close = host, true
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode > 299 {
		s.t.Fatalf("%s %s under %s: %d, %v", method, path, host, response.StatusCode, err)
	}
}

// A virtual host answers a Show as it answers clients, whether the site has a name or
// not.
func TestShowOfAVirtualHost(t *testing.T) {
	for name, site := range map[string]string{
		"a named site":      "http://api.example.com:PORT",
		"a site of any":     "http://:PORT",
		"a wildcard's name": "http://*.example.com:PORT",
	} {
		t.Run(name, func(t *testing.T) {
			s, v := newVirtualHosts(t, "api.example.com")
			s.mustLoad(s.siteOf(site, "", ""))
			s.as("api.example.com", http.MethodPut, "/items/1", `{"id":"1"}`)
			s.expect("items.updated items/1")
			// What one configuration has learned, the next one knows.
			s.mustLoad(s.siteOf(site, "", "look_rate 11/s"))
			if status, answer := s.verb("/webhooks/look?object=items/1"); status != http.StatusOK {
				t.Fatalf("look: %d %s", status, answer)
			}
			s.as("api.example.com", http.MethodPut, "/items/1", `{"id":"1","n":2}`)
			s.expect("items.updated items/1")
			v.mu.Lock()
			defer v.mu.Unlock()
			for _, asked := range v.asked {
				if !strings.Contains(asked, " api.example.com ") {
					t.Errorf("asked as %s", asked)
				}
			}
		})
	}
}

// Nobody has to have asked for anything yet: the site's own name is known.
func TestShowBeforeAnyClient(t *testing.T) {
	s, v := newVirtualHosts(t, "api.example.com")
	v.state["api.example.com/items"] = `{"items":[{"id":"1"}]}`
	v.state["api.example.com/items/1"] = `{"id":"1"}`
	text := s.siteOf("http://api.example.com:PORT", "", "")
	s.mustLoad(strings.Replace(text, "resource items", "resource items {\nlist GET /items items.#.id {\nbackfill\n}\n}", 1))
	s.expect("items.created items/1")
}

// A stranger's name changes nothing, even if the API answers it with 200.
func TestStrangeHost(t *testing.T) {
	s, v := newVirtualHosts(t, "api.example.com")
	s.mustLoad(s.siteOf("http://:PORT", "", ""))
	for i := range 3 {
		s.as("api.example.com", http.MethodPut, fmt.Sprintf("/items/%d", i), `{"id":"1"}`)
		s.expect(fmt.Sprintf("items.updated items/%d", i))
	}
	s.as("other.example", http.MethodPut, "/items/stranger", `{}`)
	s.expect("items.updated items/stranger")
	if status, _ := s.verb("/webhooks/look?object=items/1"); status != http.StatusOK {
		t.Fatal(status)
	}
	s.as("api.example.com", http.MethodPut, "/items/1", `{"id":"1","n":2}`)
	s.expect("items.updated items/1")
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, asked := range v.asked {
		if !strings.Contains(asked, " api.example.com ") && !strings.HasSuffix(asked, "stranger") {
			t.Errorf("asked as %s", asked)
		}
	}
}

// An API that sends those away who come without TLS reads of a trusted proxy before
// Caddy that clients have it.
func TestShowBehindAProxyWithTLS(t *testing.T) {
	s, v := newVirtualHosts(t, "api.example.com")
	v.https = true
	text := s.siteOf("http://api.example.com:PORT", "", "")
	s.mustLoad(strings.Replace(text, "\tadmin ", "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}\n\tadmin ", 1))
	s.as("api.example.com", http.MethodPut, "/items/1", `{"id":"1"}`, "X-Forwarded-Proto", "https")
	s.expect("items.updated items/1")
}

// Tenants that are told apart by the API's name have objects of their own.
func TestTenantsByHost(t *testing.T) {
	s, v := newVirtualHosts(t, "*.example.com")
	text := s.siteOf("http://*.example.com:PORT", "", "")
	rules := `resource items {
		show GET /items/:id {
			header Host {t}
		}
		update PUT /items/:id
		delete DELETE /items/:id
		key :t header:Host
	}`
	s.mustLoad(strings.Replace(text, "resource items", rules, 1))
	s.as("t1.example.com", http.MethodPut, "/items/1", `{"id":"1","of":"t1"}`)
	s.expect("items.updated items/t1.example.com/1")
	// However a client spells it.
	s.as("T2.Example.com:80", http.MethodPut, "/items/1", `{"id":"1","of":"t2"}`)
	s.expect("items.updated items/t2.example.com/1")
	s.as("t1.example.com", http.MethodPut, "/items/1", `{"id":"1","of":"t1","n":2}`)
	s.expect("items.updated items/t1.example.com/1")
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, asked := range v.asked {
		if asked != "http t1.example.com /items/1" && asked != "http t2.example.com /items/1" {
			t.Errorf("asked as %s", asked)
		}
	}
}
