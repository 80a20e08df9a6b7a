// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// startAPI starts an etcd of one member with an empty store, and returns the address of
// its JSON gateway.
func startAPI(t *testing.T) string {
	t.Helper()
	config := embed.NewConfig()
	config.Dir = t.TempDir()
	config.LogLevel = "panic"
	config.LogOutputs = []string{"stderr"}
	config.UnsafeNoFsync = true
	// The shortest time of a lease follows the time of an election.
	config.TickMs, config.ElectionMs = 20, 200
	client, peer := freeport.Address(t), freeport.Address(t)
	config.ListenClientUrls = []url.URL{{Scheme: "http", Host: client}}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: peer}}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatalf("starting etcd: %v", err)
	}
	t.Cleanup(server.Close)
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		t.Fatalf("etcd: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("etcd does not start")
	}
	return client
}
