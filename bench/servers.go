// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// serve runs one of the servers until the process ends.
func serve(kind string, args []string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var err error
	switch kind {
	case "api":
		err = serveAPI(args)
	case "sink":
		err = listen(sinkAddress, http.HandlerFunc(sink))
	case "hole":
		err = hole()
	case "receivers":
		err = serveReceivers(receiversAddress)
	case "strangers":
		err = beStrangers(args[0])
	default:
		err = fmt.Errorf("there is no server %q", kind)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// serveAPI runs the API, which takes some time for each answer if args says so.
func serveAPI(args []string) error {
	a := newAPI()
	if len(args) > 0 {
		var err error
		if a.delay, err = time.ParseDuration(args[0]); err != nil {
			return err
		}
	}
	return listen(apiAddress, a)
}

func listen(address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

// api answers every path with an object of 1 KB, whose version counts the
// writes to that path. Strangers' objects are slow, or fail, or are refused.
type api struct {
	mu       sync.Mutex
	versions map[string]int
	padding  string
	// delay is how long each answer takes.
	delay time.Duration
}

func newAPI() *api {
	return &api{versions: make(map[string]int), padding: strings.Repeat("x", 900)}
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
	}
	if a.delay > 0 {
		time.Sleep(a.delay)
	}
	switch reads := r.Method == http.MethodGet; {
	case reads && strings.Contains(r.URL.Path, "/slow"):
		time.Sleep(2 * time.Second)
	case reads && strings.Contains(r.URL.Path, "/failing"):
		w.WriteHeader(http.StatusInternalServerError)
		return
	case !reads && strings.Contains(r.URL.Path, "/refused"):
		w.WriteHeader(http.StatusForbidden)
		return
	}
	a.mu.Lock()
	if r.Method != http.MethodGet {
		a.versions[r.URL.Path]++
	}
	version := a.versions[r.URL.Path]
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"items":{"id":%q,"version":%d,"state":"pending","description":%q}}`,
		r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], version, a.padding)
}

// sink accepts deliveries and ignores them.
func sink(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
}

// hole accepts connections and never answers: an API from which no Show can be
// read, so that reconciling stands still.
func hole() error {
	listener, err := net.Listen("tcp", holeAddress)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn)
		}()
	}
}
