// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A snapshot is begun, ended while the API does not answer, and begun again, which sends the
// objects.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, how := range ways {
		t.Run(how.name, func(t *testing.T) {
			tenant := fmt.Sprintf("tenant-%d", i)
			object := tenant + "-1"
			earlier := s.hook(tenant, "Earlier", `["items.*"]`, "")
			s.change(tenant, object, "")
			s.delivery(tenant, earlier, "items/"+object, "delivered")
			// Who has just heard of an object is not told of it again.
			hook := s.hook(tenant, "Till", `["items.*"]`, "")
			p := &person{tab: s.visit(t, tenant), keyboard: how.keyboard}
			p.scripts(how.scripts)
			p.open("/hooks/webhooks/" + hook)
			p.at("Till")
			func() {
				s.api.held.Lock()
				defer s.api.held.Unlock()
				p.press("button", "Begin a snapshot")
				p.reads("The snapshot has begun.")
				p.press("button", "End the snapshot")
				p.reads("The snapshot has ended.")
				if text := p.panel("h-begin"); !strings.Contains(text, "cancelled") {
					t.Errorf("the snapshot is %s", text)
				}
			}()
			p.press("button", "Begin a snapshot")
			p.reads("The snapshot has begun.")
			eventually(t, "the snapshot is done", func() error {
				p.open("/hooks/webhooks/" + hook)
				if text := p.shown(); !strings.Contains(text, "done") {
					return errors.New(text)
				}
				return nil
			})
			s.receiver.await(t, "the snapshot of "+object, func(r received) bool {
				return r.header.Get("Webhook-Op") == "snapshot" && r.header.Get("Webhook-Object") == "items/"+object
			})
		})
	}
}
