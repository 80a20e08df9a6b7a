// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Kinds of frames of an [Interim]. The first two begin with the intent's number,
// 8 bytes.
const (
	// frameIntent holds a row of intents with one, see appendIntents.
	frameIntent = 'I'
	// frameResolution holds what became of it, see appendResolution.
	frameResolution = 'R'
	// frameHanded holds numbers of intents that the queue has, 8 bytes each.
	frameHanded = 'H'
)

const numberSize = 8

func appendInterimIntent(b []byte, intent *queue.Intent) []byte {
	content := binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(intent.ID))
	one := openIntent{id: intent.ID, fields: appendIntentFields(nil, intent)}
	return appendFrame(b, frameIntent, appendIntents(content, intent.ID, []*openIntent{&one}))
}

func appendInterimResolution(b []byte, id queue.IntentID, resolution *queue.Resolution) []byte {
	content := binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(id))
	return appendFrame(b, frameResolution, appendResolution(content, resolution))
}

func appendHanded(b []byte, intents []*interimIntent) []byte {
	content := make([]byte, 0, numberSize*len(intents))
	for _, one := range intents {
		content = binary.BigEndian.AppendUint64(content, uint64(one.ID))
	}
	return appendFrame(b, frameHanded, content)
}

// parseInterim decodes a frame, and does what it tells with what is known.
func parseInterim(known map[queue.IntentID]*interimIntent, kind byte, content []byte) error {
	if len(content) < numberSize {
		return errDamaged
	}
	id := queue.IntentID(binary.BigEndian.Uint64(content))
	one, rest := known[id], content[numberSize:]
	switch kind {
	case frameIntent:
		intents, err := parseIntents(id, rest)
		if err != nil {
			return err
		}
		if len(intents) != 1 || !IsInterim(id) || one != nil {
			return errDamaged
		}
		known[id] = &interimIntent{Intent: intents[0]}
	case frameResolution:
		resolution, err := parseResolution(rest)
		if err != nil {
			return err
		}
		if one == nil || one.resolution != nil {
			return errDamaged
		}
		one.resolution = &resolution
	case frameHanded:
		for ; len(content) >= numberSize; content = content[numberSize:] {
			delete(known, queue.IntentID(binary.BigEndian.Uint64(content)))
		}
		if len(content) != 0 {
			return errDamaged
		}
	default:
		return fmt.Errorf("%w: a frame of kind %q", queue.ErrNewerFormat, kind)
	}
	return nil
}

const resolutionVersion = 1

// appendResolution encodes: unresolved, how many marks, and of each its key's
// resource, key's id, hints, version, cause, settle at, callback.
func appendResolution(b []byte, resolution *queue.Resolution) []byte {
	b = append(b, resolutionVersion)
	b = appendText(b, resolution.Unresolved)
	b = binary.AppendUvarint(b, uint64(len(resolution.Marks)))
	for i := range resolution.Marks {
		m := &resolution.Marks[i]
		b = appendText(b, m.Key.Resource)
		b = appendText(b, m.Key.ID)
		b = binary.AppendUvarint(b, uint64(m.Hints))
		b = appendText(b, m.Version)
		b = appendCause(b, m.Cause)
		b = appendTime(b, m.SettleAt)
		b = appendText(b, m.Callback)
	}
	return b
}

// parseResolution decodes a resolution. It shares no memory with the record.
func parseResolution(record []byte) (queue.Resolution, error) {
	r := newReader(record, resolutionVersion)
	resolution := queue.Resolution{Unresolved: r.text()}
	for range r.count() {
		m := queue.Mark{
			Key: event.Key{Resource: r.text(), ID: r.text()}, Hints: queue.Hints(r.uint()), Version: r.text(),
			Cause: r.cause(true), SettleAt: r.time(), Callback: bytes.Clone(r.bytes()),
		}
		if r.err != nil {
			break
		}
		resolution.Marks = append(resolution.Marks, m)
	}
	return resolution, r.end()
}
