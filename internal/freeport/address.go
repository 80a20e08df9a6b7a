// SPDX-License-Identifier: Apache-2.0

// Package freeport finds addresses for test servers that must be given an
// address to listen on.
package freeport

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// The ports that are tried. The system assigns ports from 32768 on, to the
// clients of this machine too; lower ports are only taken by number.
const (
	first = 12000
	count = 20000
)

// next is the port that is tried next. Each process starts at another one.
var next atomic.Uint32

// Address returns an address of this machine that nobody listens on, and that
// it does not return again.
func Address(t testing.TB) string {
	t.Helper()
	next.CompareAndSwap(0, uint32(os.Getpid())*64)
	for range 1000 {
		port := first + next.Add(1)%count
		// Caddy listens on all addresses of a site's port.
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	t.Fatal("there is no free port")
	return ""
}
