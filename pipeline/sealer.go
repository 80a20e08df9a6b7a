// SPDX-License-Identifier: Apache-2.0

package pipeline

import "github.com/caddy-webhooks/caddy-webhooks/seal"

// Keyring returns what seals secrets in the queue; nil until the queue's directory
// belongs to this process, or if there is no key.
func (p *Pipeline) Keyring() *seal.Keyring { return p.keyring.Load() }
