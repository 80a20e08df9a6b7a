// SPDX-License-Identifier: Apache-2.0

package freeport

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settleTimeout is how long Single waits, on however slow a machine.
const settleTimeout = 2 * time.Minute

// Single waits until at most one socket listens on each of the addresses.
//
// A new configuration of Caddy listens beside the one before it, whose sockets
// are closed in the background, some time after the load has returned. The
// kernel shares new connections among them all, and resets those that a closed
// socket had not accepted yet: a client that must not send its request twice
// cannot tell whether it was received. Where the system has no list of its
// sockets as Linux has (proc_net_tcp(5)), it does not wait.
func Single(t testing.TB, addresses ...string) {
	t.Helper()
	for deadline := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		many := shared(addresses)
		if many == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("several sockets listen on %s, though its configuration was replaced %s ago", many, settleTimeout)
		}
	}
}

// shared returns the first of the addresses whose port has more than one listening socket.
func shared(addresses []string) string {
	var sockets []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		sockets = append(sockets, strings.Split(string(content), "\n")...)
	}
	for _, address := range addresses {
		if listeners(sockets, address) > 1 {
			return address
		}
	}
	return ""
}

// listeners returns how many of the sockets, lines of the kernel's tables, listen on
// the address's port.
func listeners(sockets []string, address string) (count int) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	const listen = "0A" // TCP_LISTEN
	suffix := fmt.Sprintf(":%04X", number)
	for _, socket := range sockets {
		// The first columns are: number, local address, remote address, state.
		columns := strings.Fields(socket)
		if len(columns) > 3 && columns[3] == listen && strings.HasSuffix(columns[1], suffix) {
			count++
		}
	}
	return count
}
