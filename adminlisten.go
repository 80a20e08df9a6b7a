// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"reflect"

	"github.com/caddyserver/caddy/v2"
)

// adminAddresses returns where the admin endpoint of a configuration listens,
// the remote one too, as the configuration writes it.
//
// Caddy gives a module no other way to learn it: the configuration that a
// context belongs to is not exported, though all that is read of it is. So it
// is read by reflection, which changes nothing and, should Caddy keep it
// elsewhere one day, finds nothing; then the default address is all that is
// known.
func adminAddresses(ctx caddy.Context) []string {
	addresses := []string{caddy.DefaultAdminListen}
	admin := member(member(reflect.ValueOf(ctx), "cfg"), "Admin")
	if disabled := member(admin, "Disabled"); disabled.Kind() == reflect.Bool && !disabled.Bool() {
		if listen := member(admin, "Listen"); listen.Kind() == reflect.String && listen.String() != "" {
			addresses = append(addresses, listen.String())
		}
	}
	remote := member(admin, "Remote")
	if listen := member(remote, "Listen"); listen.Kind() == reflect.String {
		address := listen.String()
		if address == "" {
			address = caddy.DefaultRemoteAdminListen
		}
		addresses = append(addresses, address)
	}
	return addresses
}

// member returns a field of a struct, or of one that is pointed to; the zero
// Value if there is none.
func member(of reflect.Value, name string) reflect.Value {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return of.FieldByName(name)
}
