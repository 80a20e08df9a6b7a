// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// Keys begin with a letter for what they hold. Names follow their length, so
// that no two can be mixed up whatever they contain; numbers are big-endian,
// so that keys stand in their order.
//
//	M name                         meta
//	i intent                       open intents that were noted together
//	u intent                       an intent closed without its object     ttl
//	m object                       a mark
//	s object                       a snapshot
//	f resource                     the highest sequence of what is forgotten
//	b object slot part             a part of a large Show of a snapshot
//	c object                       an object's callback                    ttl once closed
//	e position                     an event                                ttl
//	p position part                a part of a large payload               ttl
//	q number part                  a part of a large previous Show         ttl
//	x event id                     the event's owner and position          ttl
//	t tenant position              an event of a tenant, without a value   ttl
//	F endpoint position            an event that a filter left out         ttl
//	n position                     a span of the log of events
//	l endpoint object position     a pending delivery, in its lane
//	d endpoint position            a delivery                              ttl once decided
//	a endpoint position number     an attempt                              ttl
//	r kind id                      a record                                ttl if it expires
//	o kind owner id                a record of an owner, without a value   ttl if it expires
//	k kind                         the epoch of a kind of records
//
// Rows of any other kind are left alone. h is not given to another kind: it
// stood for endpoints of subscribers. Nor is g, for the states of endpoints: they
// become records when the queue is opened.
//
// A position counts events over all objects. It orders the log, and with it
// every lane.
const (
	kindMeta       = 'M'
	kindIntent     = 'i'
	kindUnresolved = 'u'
	kindMark       = 'm'
	kindSnapshot   = 's'
	kindFloor      = 'f'
	kindShow       = 'b'
	kindCallback   = 'c'
	kindEvent      = 'e'
	kindPart       = 'p'
	kindPrevious   = 'q'
	kindEventID    = 'x'
	kindTenant     = 't'
	kindFiltered   = 'F'
	kindSpan       = 'n'
	kindLane       = 'l'
	kindDelivery   = 'd'
	kindAttempt    = 'a'

	kindEndpointState = 'g'
	kindRecord        = 'r'
	kindOwned         = 'o'
	kindEpoch         = 'k'
)

// maxKey is the longest key that is accepted. It leaves room for what Badger
// adds, below its own limit of 65,000 bytes.
const maxKey = 60_000

// maxIntent is the room for an intent with a callback.
const maxIntent = queue.MaxCallback + 4<<10

func numberKey(b []byte, kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, kind), number)
}

func partKey(b []byte, kind byte, number uint64, part int) []byte {
	b = numberKey(b, kind, number)
	return binary.BigEndian.AppendUint32(b, uint32(part))
}

func showKey(b []byte, key event.Key, slot byte, part int) []byte {
	b = record.AppendText(append(b, kindShow), key.Resource)
	b = append(record.AppendText(b, key.ID), slot)
	return binary.BigEndian.AppendUint32(b, uint32(part))
}

func eventIDKey(b []byte, id string) []byte {
	return append(append(b, kindEventID), id...)
}

func objectKey(b []byte, kind byte, key event.Key) []byte {
	return appendObject(append(b, kind), key)
}

func appendObject(b []byte, key event.Key) []byte {
	b = record.AppendText(b, key.Resource)
	return append(b, key.ID...)
}

// objectName is the name of an object within an endpoint's lanes.
func objectName(key event.Key) string {
	return string(appendObject(nil, key))
}

// parseObject is the inverse of appendObject.
func parseObject(name []byte) (event.Key, error) {
	r := record.Reader{Rest: name}
	resource := r.Text()
	if r.Err != nil {
		return event.Key{}, r.Err
	}
	return event.Key{Resource: resource, ID: string(r.Rest)}, nil
}

// lanePrefix is the prefix of all keys of one lane.
func lanePrefix(b []byte, endpoint, object string) []byte {
	b = record.AppendText(append(b, kindLane), endpoint)
	return record.AppendText(b, object)
}

func laneKey(b []byte, endpoint, object string, position uint64) []byte {
	return binary.BigEndian.AppendUint64(lanePrefix(b, endpoint, object), position)
}

// parseLaneKey is the inverse of laneKey. The names are parts of the key
// itself.
func parseLaneKey(key []byte) (endpoint, object []byte, position uint64, err error) {
	if len(key) == 0 || key[0] != kindLane {
		return nil, nil, 0, errDamaged
	}
	r := record.Reader{Rest: key[1:]}
	endpoint, object = r.Bytes(), r.Bytes()
	if r.Err != nil || len(r.Rest) != 8 {
		return nil, nil, 0, errDamaged
	}
	return endpoint, object, binary.BigEndian.Uint64(r.Rest), nil
}

// endpointPrefix is the prefix of all keys of a kind for one endpoint, or one tenant.
func endpointPrefix(b []byte, kind byte, endpoint string) []byte {
	return record.AppendText(append(b, kind), endpoint)
}

func deliveryKey(b []byte, endpoint string, position uint64) []byte {
	return binary.BigEndian.AppendUint64(endpointPrefix(b, kindDelivery, endpoint), position)
}

// tenantKey is the key by which an event of a tenant is found, see [indexedTenant].
func tenantKey(b []byte, indexed string, position uint64) []byte {
	return binary.BigEndian.AppendUint64(endpointPrefix(b, kindTenant, indexed), position)
}

// maxTenant is the longest tenant whose events have it in their keys.
const maxTenant = 512

// indexedTenant returns the name of a tenant in keys: a hash of one that is too long for
// them. Shows name tenants, and may name any.
func indexedTenant(tenant string) string {
	if len(tenant) <= maxTenant {
		return tenant
	}
	sum := sha256.Sum256([]byte(tenant))
	return string(sum[:]) + strings.Repeat("\x00", maxTenant)
}

// filteredKey is the key of an event that an endpoint's filter has left out.
func filteredKey(b []byte, endpoint string, position uint64) []byte {
	return binary.BigEndian.AppendUint64(endpointPrefix(b, kindFiltered, endpoint), position)
}

func spanKey(b []byte, first uint64) []byte {
	return numberKey(b, kindSpan, first)
}

func attemptPrefix(b []byte, endpoint string, position uint64) []byte {
	return binary.BigEndian.AppendUint64(endpointPrefix(b, kindAttempt, endpoint), position)
}

func attemptKey(b []byte, endpoint string, position uint64, number uint32) []byte {
	return binary.BigEndian.AppendUint32(attemptPrefix(b, endpoint, position), number)
}

// lastNumber returns the number at the end of a key.
func lastNumber(key []byte) (uint64, error) {
	if len(key) < 8 {
		return 0, errDamaged
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), nil
}
