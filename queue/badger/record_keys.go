// SPDX-License-Identifier: Apache-2.0

package badger

import "github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"

// recordKey is the key of a record. Those of a kind stand in the order of ids.
func recordKey(b []byte, kind, id string) []byte {
	return append(recordPrefix(b, kind), id...)
}

func recordPrefix(b []byte, kind string) []byte {
	return record.AppendText(append(b, kindRecord), kind)
}

// ownedKey is the key by which an owner's records of a kind are found.
func ownedKey(b []byte, kind, owner, id string) []byte {
	return append(ownedPrefix(b, kind, owner), id...)
}

func ownedPrefix(b []byte, kind, owner string) []byte {
	return record.AppendText(record.AppendText(append(b, kindOwned), kind), owner)
}

func epochKey(b []byte, kind string) []byte {
	return append(append(b, kindEpoch), kind...)
}
