// SPDX-License-Identifier: Apache-2.0

package callbacks

// addressesView says from where deliveries come. Fixed is false if they may come from
// others, too: the system chooses, or a proxy.
type addressesView struct {
	Addresses []string `json:"addresses"`
	Fixed     bool     `json:"fixed"`
}

// showAddresses answers with the addresses that a receiver has to let in.
func showAddresses(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	v := addressesView{Addresses: []string{}}
	if len(c.options.Addresses) > 0 {
		v.Addresses, v.Fixed = c.options.Addresses, true
	}
	return ok(v)
}
