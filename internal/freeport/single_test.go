// SPDX-License-Identifier: Apache-2.0

package freeport

import (
	"net"
	"runtime"
	"testing"
	"time"
)

// While two sockets share a port, Single waits.
func TestSingle(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system has no list of its sockets")
	}
	address := Address(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var sockets []net.Listener
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		sockets = append(sockets, socket)
	}
	if got := shared([]string{Address(t), address}); got != address {
		t.Fatalf("two sockets share %q, want %q", got, address)
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = sockets[0].Close() })
	Single(t, address)
	if got := shared([]string{address}); got != "" {
		t.Errorf("after waiting, two sockets share %q", got)
	}
}
