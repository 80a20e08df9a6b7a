// SPDX-License-Identifier: Apache-2.0

// Command apiserver serves the API of Kubernetes for custom resources, with an etcd of
// its own: what a test needs of Kubernetes, in one process. It prints the token of its
// administrator when it is ready, and ends with its standard input.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

func main() {
	dir := flag.String("dir", "", "where the data and the certificate are")
	address := flag.String("address", "", "where to serve")
	store := flag.String("etcd", "", "where etcd serves")
	peer := flag.String("peer", "", "where etcd would serve its peers")
	flag.Parse()
	if err := run(*dir, *address, *store, *peer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, address, store, peer string) error {
	etcd, err := startEtcd(filepath.Join(dir, "etcd"), store, peer)
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	defer etcd.Close()
	server, token, err := newServer(dir, address, store)
	if err != nil {
		return fmt.Errorf("starting the API: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	// Plain HTTP, for the test and the proxy; the other listener is for the server's
	// own controllers.
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, server.Handler) }() //nolint:gosec // no timeouts: watches are long
	fmt.Println(token)
	return server.PrepareRun().RunWithContext(ctx)
}

func startEtcd(dir, client, peer string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir, config.LogLevel, config.UnsafeNoFsync = dir, "error", true
	at := func(address string) []url.URL { return []url.URL{{Scheme: "http", Host: address}} }
	config.ListenClientUrls, config.AdvertiseClientUrls = at(client), at(client)
	config.ListenPeerUrls, config.AdvertisePeerUrls = at(peer), at(peer)
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	<-etcd.Server.ReadyNotify()
	return etcd, nil
}

const kubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"none",
"clusters":[{"name":"none","cluster":{"server":"http://127.0.0.1:1"}}],
"contexts":[{"name":"none","context":{"cluster":"none","user":"none"}}],
"users":[{"name":"none","user":{"username":"none","password":"none"}}]}`

func newServer(dir, address, store string) (*genericapiserver.GenericAPIServer, string, error) {
	o := options.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	flags := pflag.NewFlagSet("apiserver", pflag.ContinueOnError)
	o.AddFlags(flags)
	// There is no core API to ask who may do what; the token of the server's own
	// controllers may do everything.
	nowhere := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(nowhere, []byte(kubeconfig), 0o600); err != nil {
		return nil, "", err
	}
	err := flags.Parse([]string{
		"--etcd-servers=http://" + store, "--cert-dir=" + dir,
		"--kubeconfig=" + nowhere, "--authentication-kubeconfig=" + nowhere, "--authorization-kubeconfig=" + nowhere,
		"--authentication-skip-lookup", "--enable-priority-and-fairness=false",
		"--disable-admission-plugins=NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy",
	})
	if err != nil {
		return nil, "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	o.RecommendedOptions.SecureServing.Listener = listener
	o.RecommendedOptions.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	if err := o.Complete(); err != nil {
		return nil, "", err
	}
	if err := o.Validate(); err != nil {
		return nil, "", err
	}
	config, err := o.Config()
	if err != nil {
		return nil, "", err
	}
	server, err := config.Complete().New(genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, "", err
	}
	return server.GenericAPIServer, server.GenericAPIServer.LoopbackClientConfig.BearerToken, nil
}
