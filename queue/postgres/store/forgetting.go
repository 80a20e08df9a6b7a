// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// forgetPart is how many objects that are gone are looked at in one go.
const forgetPart = 1024

// Forget implements [queue.Forgets]. It goes by the names that hot tables have of objects: an
// index has those that are gone, and other names, and no others are looked at.
func (s *Store) Forget(ctx context.Context, before time.Time, after event.Key) (forgotten int, next event.Key, err error) {
	var from []byte
	if !after.IsZero() {
		from = objectOf(after)
	}
	var object, resource, id []byte
	var objects [][]byte
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&object, &resource, &id}, func() error {
			objects = append(objects, bytes.Clone(object))
			next = event.Key{Resource: string(resource), ID: string(id)}
			return nil
		}, "select object, resource, id from webhooks.object where object > $1 and (gone or alias is not null) order by object limit $2", append([]byte{}, from...), forgetPart)
	})
	if err != nil || len(objects) == 0 {
		return 0, event.Key{}, err
	}
	if len(objects) < forgetPart {
		next = event.Key{}
	}
	err = s.say(ctx, kept, func(b *batch) {
		forgotten = 0
		b.sum(&forgotten, `with over as (delete from webhooks.object o where o.object = any($1) and o.touched < $2
				and case when o.alias is null then o.gone else not exists (select from webhooks.object r where r.object = o.alias) end
				and not exists (select from webhooks.mark m where m.object = o.object)
				and not exists (select from webhooks.intent i where o.object = any(i.objects))
				returning o.object, o.resource, o.sequence),
			dropped as (delete from webhooks.callback c using over where c.object = over.object),
			kept as (insert into webhooks.floor as f (resource, sequence) select resource, max(sequence) from over group by resource
				on conflict (resource) do update set sequence = greatest(f.sequence, excluded.sequence))
			select count(*) from over`, objects, nanos(s.clock.in(before)))
	})
	return forgotten, next, err
}
